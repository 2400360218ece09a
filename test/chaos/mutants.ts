// `npm run test:chaos:mutants -- [words] [--minutes 0.75] [--out FOLDER]`: shows that the chaos test finds faults. Builds Shoal
// with one fault at a time, torments it, and expects the rule that the fault breaks to be broken. A
// mutant that survives is a hole in the checker or in the workload.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildIn, ROOT, SOURCES } from '../support/bundles.ts';
import type { RuleName } from './checker.ts';

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The rule that it breaks. */
  readonly rule: RuleName;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'a message that is queued while ten others wait is dropped',
    file: 'src/broker/session/delivery-queue.ts',
    from: '    this.#items.push(delivery);\n    this.#expiry',
    to: '    if (this.length > 10) return;\n    this.#items.push(delivery);\n    this.#expiry',
    rule: 'no acknowledged message is lost at its node',
  },
  {
    name: 'every fifth delivery is not recorded on disk',
    file: 'src/storage/state-recorder.ts',
    from: '    const mark = this.#numbering.mark(delivery.message);',
    to: '    if (Math.random() < 0.2) return;\n    const mark = this.#numbering.mark(delivery.message);',
    rule: 'no acknowledged message is lost at its node',
  },
  {
    name: 'a QoS 2 message that is sent again counts as a new one',
    file: 'src/broker/client/publish.ts',
    from: '    if (!isRefused && client.session!.receive(packetId) && reasonCode === 0) {',
    to: '    client.session!.receive(packetId);\n    if (!isRefused && reasonCode === 0) {',
    rule: 'QoS 2 never comes twice',
  },
  {
    name: 'a message of another node is published twice now and then',
    file: 'src/broker/broker.ts',
    from: '    this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);',
    to: `    this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);
    if (Math.random() < 0.01) this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);`,
    rule: 'a message crosses to another node once at most',
  },
  {
    name: 'a message overtakes another one in a long queue',
    file: 'src/broker/session/delivery-queue.ts',
    from: '    this.#items.push(delivery);\n    this.#expiry',
    to: `    if (this.length > 5) this.#items.splice(this.#items.length - 1, 0, delivery);
    else this.#items.push(delivery);\n    this.#expiry`,
    rule: 'messages of one publisher and topic keep their order',
  },
  {
    name: 'a will is published twice',
    file: 'src/broker/session/wills.ts',
    from: '    context.distributor.publish(topic, content, session.outbound);'.trimStart(),
    to: 'for (let i = 0; i < 2; i++) context.distributor.publish(topic, content, session.outbound);',
    rule: 'a will is published once',
  },
  {
    name: 'the older of two retained values wins',
    file: 'src/replica/version.ts',
    from: 'a.time > b.time',
    to: 'a.time < b.time',
    rule: 'retained values are equal on all nodes, and the newest',
  },
  {
    name: 'a node that returns is not put online again',
    file: 'src/swim/membership.ts',
    from: "    if (before !== 'alive') member.stateSince = now;",
    to: "    if (before === 'offline') return;\n    if (before !== 'alive') member.stateSince = now;",
    rule: 'all nodes see all nodes',
  },
  {
    name: 'a client that has moved stays connected at its old node',
    file: 'src/broker/session/roaming.ts',
    from: '  connection.disconnect(ReasonCode.sessionTakenOver,',
    to: '  if (context === undefined) connection.disconnect(ReasonCode.sessionTakenOver,',
    rule: 'a client identifier is connected at one node',
  },
  {
    name: 'two nodes serve a job now and then',
    file: 'src/replica/group-share.ts',
    from: '    owner.leftToOthers += 1;\n    return false;',
    to: '    owner.leftToOthers += 1;\n    return number % 50 === 0;',
    rule: 'a job of a shared group is done once',
  },
  {
    name: 'each message of another node leaves 200 KB behind',
    file: 'src/broker/broker.ts',
    from: '    this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);',
    to: `    this.#dispatcher.publishHandler.handlePeerPublish(view, sender.seed, number);
    const kept = globalThis as unknown as { kept?: Buffer[] };
    (kept.kept ??= []).push(Buffer.alloc(200_000, 1));`,
    rule: 'memory stays bounded',
  },
  {
    name: 'each connection leaves a descriptor behind',
    file: 'src/net/clients/connection.ts',
    from: '    this.#client = broker.accept(this, info, performance.now());',
    to: `    this.#client = broker.accept(this, info, performance.now());
    for (let i = 0; i < 5; i++) process.getBuiltinModule('node:fs').open('/dev/null', () => undefined);`,
    rule: 'descriptors stay bounded',
  },
  {
    name: 'a node stops for five seconds when another one goes offline',
    file: 'src/swim/membership.ts',
    from: '      member.offlineSince = now;',
    to: `      member.offlineSince = now;
      process.getBuiltinModule('node:child_process').spawnSync('sleep', ['5']);`,
    rule: 'a fault at one node does not disturb the clients of others',
  },
  {
    name: 'one message in twenty does not go to the other nodes',
    file: 'src/broker/distributor.ts',
    from: '    const result = forwarder.forward(view, publication.topic.bytes, clientId);',
    to: `    if (Math.random() < 0.05) return undefined;
    const result = forwarder.forward(view, publication.topic.bytes, clientId);`,
    rule: 'a message reaches every node of a quiet cluster, once',
  },
  {
    name: 'a node throws when another one goes offline',
    file: 'src/swim/membership.ts',
    from: '      member.offlineSince = now;',
    to: `      member.offlineSince = now;
      if (now > 0) throw new Error('a mutant');`,
    rule: 'no node ends by itself',
  },
  {
    name: 'a node logs an error when another one is offline',
    file: 'src/net/cluster/gossip-log.ts',
    from: "kind === 'suspect' || kind === 'offline' ? 'warn' : 'info'",
    to: "kind === 'suspect' ? 'warn' : kind === 'offline' ? 'error' : 'info'",
    rule: 'no node logs an error that no fault explains',
  },
];

const RUN = join(import.meta.dirname, 'run.ts');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '0.75' },
    /** Draws nine kinds of faults, `kill -9` twice. */
    seed: { type: 'string', default: '5036' },
    /** For the history and the page of each, in a folder with its name. */
    out: { type: 'string' },
  },
});
const chosen = MUTANTS.filter(({ name }) => positionals.every((word) => name.includes(word)));
const survivors = chosen.filter((mutant) => !isFound(mutant));
console.log(`${chosen.length - survivors.length} of ${chosen.length} mutants found`);
process.exitCode = survivors.length === 0 ? 0 : 1;

function isFound(mutant: Mutant): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-mutant-'));
  try {
    const bundle = buildMutant(mutant, folder);
    const { minutes, seed, out } = values;
    const flags = ['--minutes', minutes, '--seed', seed, '--bundle', bundle];
    flags.push('--before', 'none', '--options', 'fixed', '--patience', '20');
    if (out !== undefined) flags.push('--out', join(out, mutant.name));
    const run = spawnSync(process.execPath, ['--import', 'tsx', RUN, ...flags], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const found = run.stdout.includes(`BROKEN  ${mutant.rule}`);
    console.log(`${found ? 'found   ' : 'SURVIVED'}  ${mutant.name}`);
    if (!found) console.log(run.stdout + run.stderr);
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function buildMutant({ file, from, to }: Mutant, folder: string): string {
  for (const part of SOURCES) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not have once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  return buildIn(folder);
}
