// Measures access control without sockets: nanoseconds for each message through the broker core with
// and without an ACL, and the duration of a login by user name. `tsx test/bench/micro-access.ts`

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessControl } from '../../src/auth/access-control.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { Client } from '../../src/broker/client/client.ts';
import type { Authorizer, Outbox } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { connectPacket, packet, publishPacket } from './load/packets.ts';

const MEASURE_MS = 1000;
/** A batch has 1000 deliveries, the budget of one event-loop turn. */
const BATCH = 50;
const LOGINS = 200;

const folder = mkdtempSync(join(tmpdir(), 'shoal-micro-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

function fileOf(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function open({
  aclFile,
  passwordFile,
}: {
  aclFile?: string;
  passwordFile?: string;
}): Promise<AccessControl> {
  const none = { tokenKeyFile: undefined, tokenIssuer: undefined, tokenAudience: undefined };
  const options = {
    ...none,
    listeners: [
      { id: 'tcp', place: '-port', aclFile, passwordFile, anonymous: undefined, tls: undefined },
    ],
    anonymousAllowed: undefined,
    authUrl: undefined,
    authFormat: 'form' as const,
    authCacheSeconds: 0,
    loginIpv4Bits: 32,
  };
  const now = (): number => performance.now();
  return AccessControl.open(options, { log: silentLogger, now, wallClock: Date.now });
}

/** @returns nanoseconds of processor time for each message from one publisher to `subscribers` clients */
function messageNs(
  authorizer: Authorizer | undefined,
  topics: number,
  subscribers: number,
): number {
  const broker = new Broker({
    options: { sysIntervalSeconds: 0 },
    random: Math.random,
    now: 0,
    log: silentLogger,
    ...(authorizer && { authorizer }),
  });
  let names = 0;
  const newClient = (): Client => {
    const outbox: Outbox = {
      congested: false,
      write: () => undefined,
      close: () => undefined,
      pauseReading: () => undefined,
      resumeReading: () => undefined,
    };
    const client = broker.accept(outbox, { remoteAddress: '' }, 0);
    names += 1;
    client.receive(connectPacket(`c${names}`), 0);
    return client;
  };
  const publisher = newClient();
  const everything = packet(0x82, Buffer.from([0, 1, 0, 1, 0x23, 0]));
  for (let i = 0; i < subscribers; i++) newClient().receive(everything, 0);
  const batch = Buffer.concat(
    Array.from({ length: BATCH }, (_, i) =>
      publishPacket(`site/c1/sensor/${i % topics}/value`, 0, Buffer.alloc(64)),
    ),
  );
  let isDeferred = false;
  broker.onDeferred = () => {
    isDeferred = true;
  };
  // A batch may exceed the work budget of one turn.
  const send = (): void => {
    publisher.receive(Buffer.from(batch), 0);
    while (isDeferred) {
      isDeferred = false;
      broker.runDeferred(0);
    }
  };
  for (let round = 0; round < 200; round++) send();
  const before = broker.stats.publishReceived;
  const start = performance.now();
  const used = process.cpuUsage();
  while (performance.now() - start < MEASURE_MS) send();
  const messages = broker.stats.publishReceived - before;
  return (process.cpuUsage(used).user * 1000) / messages;
}

function login(access: AccessControl, username: string, password: string): Promise<number> {
  const start = performance.now();
  return new Promise((resolve) => {
    const request = {
      clientId: 'c',
      username,
      password: Buffer.from(password),
      remoteAddress: '',
      listener: { name: 'tcp' },
    };
    access.authenticate(request, () => resolve(performance.now() - start));
  });
}

function percentile(values: readonly number[], share: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2).padStart(7);
}

const topicAcl = await open({
  aclFile: fileOf('topics', `topic site/+/other/#\n${'topic read x/y\n'.repeat(20)}topic #\n`),
});
const patternAcl = await open({
  aclFile: fileOf('patterns', 'topic read #\npattern readwrite site/c1/#\npattern write up/%c/#\n'),
});
for (const [topics, subscribers] of [
  [1, 1],
  [50, 1],
  [1, 1000],
] as const) {
  for (const [name, authorizer] of [
    ['no ACL', undefined],
    ['23 lines', topicAcl],
    ['patterns', patternAcl],
  ] as const) {
    const ns = messageNs(authorizer, topics, subscribers).toFixed(0);
    console.log(`${topics} topics, ${subscribers} subscribers, ${name}: ${ns} ns a message`);
  }
}

const users = await Promise.all(
  Array.from({ length: 20 }, async (_, i) => `user${i}:${await hashPassword(`pw${i}`)}\n`),
);
const book = await open({ passwordFile: fileOf('pw', users.join('')) });
for (const [name, makeUser] of [
  ['known, wrong password', (i: number) => `user${i % 20}`],
  ['unknown', (i: number) => `nobody${i}`],
] as const) {
  const times: number[] = [];
  for (let i = 0; i < LOGINS; i++) times.push(await login(book, makeUser(i), 'wrong'));
  const [p10, p50, p90] = [0.1, 0.5, 0.9].map((share) => percentile(times, share));
  console.log(`login, ${name}: p10 ${p10} p50 ${p50} p90 ${p90} ms`);
}
const first = await login(book, 'user0', 'pw0');
const again: number[] = [];
for (let i = 0; i < LOGINS; i++) again.push(await login(book, 'user0', 'pw0'));
console.log(`login, right: first ${first.toFixed(2)} ms, again p50 ${percentile(again, 0.5)} ms`);

let late = 0;
let last = performance.now();
const watch = setInterval(() => {
  late = Math.max(late, performance.now() - last - 1);
  last = performance.now();
}, 1);
const start = performance.now();
await Promise.all(Array.from({ length: LOGINS }, (_, i) => login(book, `user${i % 20}`, 'wrong')));
clearInterval(watch);
const seconds = (performance.now() - start) / 1000;
console.log(
  `${LOGINS} logins at once: ${(LOGINS / seconds).toFixed(0)}/s, event loop delay at most ${late.toFixed(1)} ms`,
);
book.close();
