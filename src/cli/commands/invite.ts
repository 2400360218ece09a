// `shoal invite` on a box of the cluster prints a line; `shoal join LINE` on a new box gets the token with
// it, and writes the token and a configuration. The line works once and for ten minutes.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { sharedFlags } from '../../config/shared-options.ts';
import type { InvitationView } from '../../http/discovery-view.ts';
import type { OptionView } from '../../http/node-api.ts';
import {
  InvitationOverError,
  parseInvitation,
  useInvitation,
  type Welcome,
} from '../../net/cluster/invitation-door.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';
import { qrCodeLines } from '../terminal/qr-code.ts';

const TOKEN_FILE = 'token';
const CONFIG_FILE = 'shoal.toml';

interface JoinFlags {
  readonly folder: string;
  readonly nid?: string;
  readonly control?: string;
}

export function addInvite(program: Command, context: CliContext): void {
  const command = program
    .command('invite')
    .description('print a line, also as a QR code, with which one new box joins the cluster');
  addNodeFlags(command).action(async (flags: NodeFlags) => {
    const node = await NodeConnection.open(command, context);
    const made = await node.ask<InvitationView>('/api/v1/invitations', { method: 'POST' });
    printResult(flags.json, context, made, () => invitationLines(made, context));
  });
}

export function addJoin(program: Command, context: CliContext): void {
  program
    .command('join')
    .usage('LINE [-nid=NAME] [-folder=FOLDER] [-control=PATH]')
    .argument('<line>', 'what shoal invite has printed on another box')
    .description('get the token of a cluster, and write it and a configuration')
    .option('--nid <name>', 'name of this box; without it the host name')
    .option('--folder <folder>', 'where to write the files', '.')
    .option('--control <path>', 'control socket of a node that runs here already')
    .action(async (line: string, flags: JoinFlags) => {
      const invitation = parseInvitation(line);
      if (invitation === undefined) {
        throw new UsageError('the line is incomplete: copy all of what shoal invite has printed');
      }
      const files = newFiles(flags.folder);
      const welcome = await useInvitation(invitation).catch((error: Error) => {
        files.remove();
        if (error instanceof InvitationOverError) {
          throw new UsageError(
            `${error.message}; make another with shoal invite on a box of the site`,
          );
        }
        throw new UsageError(
          `the invitation could not be used: ${error.message}; is TCP ${invitation.endpoints[0]?.port} open there? if the line was used or is older than ten minutes, make a new one`,
        );
      });
      files.write(welcome, flags.nid);
      const config = relative(process.cwd(), files.config) || files.config;
      const running = await runningNode(flags.control);
      const next =
        running === undefined
          ? `; start this box with:\n  ${context.command} -config=${config}`
          : `.\n${restartText(running, files, context)}`;
      context.write(`wrote ${files.token} (secret) and ${files.config}${next}\n`);
      context.exitCode = exitCodes.ok;
    });
}

/** A node that runs on this box already. */
interface RunningNode {
  readonly name: string;
  /** Of -config; undefined without one. */
  readonly file: string | undefined;
  /** With which it was started, but for those that the new configuration replaces. */
  readonly flags: readonly string[];
}

/** In the configuration that join writes. */
const REPLACED = ['csk', 'csk-file', 'mbs', 'cluster', 'encrypt', 'beacon', ...sharedFlags];

async function runningNode(control: string | undefined): Promise<RunningNode | undefined> {
  try {
    const node = await NodeConnection.ofMachine(control);
    const { options } = await node.ask<{ options: readonly OptionView[] }>('/api/v1/config');
    const of = (flag: string) => options.find((one) => one.flag === flag && one.value !== '-');
    const given = options.filter(
      ({ flag, source }) => source === 'flag' && !REPLACED.includes(flag),
    );
    const flags = given.map(({ flag, value }) => `-${flag}=${quoted(value)}`);
    return { name: of('nid')?.value ?? 'a node', file: of('config')?.value, flags };
  } catch {
    // None runs here, or none that this user may ask.
    return undefined;
  }
}

function restartText(
  { name, file, flags }: RunningNode,
  files: { token: string; config: string },
  { command }: CliContext,
): string {
  const [token, config] = [resolve(files.token), resolve(files.config)];
  const control = flags.find((flag) => flag.startsWith('-control='));
  const leave = `${command} leave ${control ?? `-nid=${quoted(name)}`}`;
  const how =
    file === undefined
      ? `End it, and start it again:\n  ${leave}\n  ${[command, `-config=${quoted(config)}`, ...flags].join(' ')}`
      : `Copy the lines of ${config}\ninto ${file}, the file of its -config, in place of its own lines of these names,\nwith csk-file = ${JSON.stringify(token)}. Then restart it: systemctl restart shoal, or, if you started it by hand,\n${leave}, and the command of its start.`;
  return `${name} runs here already. A node takes its token and its cluster at its start.\n${how}`;
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w.,:@%+/=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function invitationLines({ line, port }: InvitationView, context: CliContext): string[] {
  return [
    'On the new box, within 10 minutes and once:',
    '',
    `  ${context.command} join ${line}`,
    '',
    `The line is a secret: anyone who has it gets the token. The new box needs TCP ${port} of this one.`,
    ...qrCodeLines(line, context),
  ];
}

/** Made before the invitation is used up, so that a folder without rights costs no invitation. */
function newFiles(folder: string) {
  const [token, config] = [join(folder, TOKEN_FILE), join(folder, CONFIG_FILE)];
  const writeNew = (file: string, text: string, flag: string): void => {
    try {
      writeFileSync(file, text, { flag, mode: 0o600 });
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const reason = isThere
        ? 'exists; name an empty folder with -folder'
        : describeSystemError(error, 'write');
      throw new UsageError(`${file}: ${reason}`);
    }
  };
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`${folder}: ${describeSystemError(error, 'write')}`);
  }
  writeNew(config, '', 'wx');
  writeNew(token, '', 'wx');
  return {
    token,
    config,
    remove: (): void => {
      for (const file of [token, config]) rmSync(file, { force: true });
    },
    write: (welcome: Welcome, nid: string | undefined): void => {
      writeNew(token, `${welcome.token}\n`, 'w');
      writeNew(config, configText(welcome, nid), 'w');
    },
  };
}

/** JSON strings are TOML strings. */
function configText(welcome: Welcome, nid: string | undefined): string {
  const { cluster, encrypt, members, options } = welcome;
  const shared = sharedFlags.filter((flag) => isTomlValue(options[flag]));
  const rows = [
    ...(nid === undefined ? [] : [`nid = ${JSON.stringify(nid)}`]),
    `csk-file = "${TOKEN_FILE}"`,
    `mbs = ${JSON.stringify(members)}`,
    'beacon = "on"',
    ...(cluster === 'shoal' ? [] : [`cluster = ${JSON.stringify(cluster)}`]),
    ...(encrypt ? ['encrypt = true'] : []),
    ...shared.map((flag) => `${flag} = ${JSON.stringify(options[flag])}`),
  ];
  return `# Written by shoal join.\n${rows.join('\n')}\n`;
}

function isTomlValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((one) => typeof one === 'string');
  return ['string', 'number', 'boolean'].includes(typeof value);
}
