// `shoal service`: makes this program a service of systemd with the flags of the command, removes it, or
// shows it. The data, the user and the files that the flags name stay when it is removed.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { checkName, type Plan, planOf, underRoot } from '../service/plan.ts';

interface NameFlags {
  readonly name: string;
  readonly root?: string;
}

interface InstallFlags extends NameFlags {
  readonly user: string;
  readonly memoryMax: string;
  readonly print?: true;
}

const SYSTEMD = '/run/systemd/system';
/** This program is the single executable of a release. Releases of Node before 20.16 make none. */
const containsNode = process.getBuiltinModule?.('node:sea')?.isSea() === true;

export function addService(program: Command, context: CliContext): void {
  const service = program
    .command('service')
    .description('install, remove or show this program as a service of systemd');
  const install = named(service.command('install'))
    .usage('[-print] [-user USER] [-memory-max 80%] [flags of the node]')
    .description('write the unit with these flags, enable it and start it')
    .option('--user <name>', 'user that the node runs as; made if it is missing', 'shoal')
    .option('--memory-max <size>', 'memory at which systemd ends the node', '80%')
    .option('--print', 'show the unit and change nothing');
  addConfigOptions(install, []).action(() => installService(install, context));
  const uninstall = named(service.command('uninstall')).description(
    'stop the service and remove its unit; data, user and files stay',
  );
  uninstall.action((flags: NameFlags) => uninstallService(flags, context));
  const status = named(service.command('status')).description('show the service as systemd does');
  status.action(({ name }: NameFlags) => {
    checkName('name', name);
    checkSystemd();
    const { status: code } = spawnSync('systemctl', ['status', '--no-pager', name], {
      stdio: 'inherit',
    });
    context.exitCode = code === 0 ? exitCodes.ok : exitCodes.failure;
  });
}

function named(command: Command): Command {
  return command
    .option('--name <name>', 'name of the service', 'shoal')
    .option(
      '--root <folder>',
      'write below this folder and start nothing, to make a package or image',
    );
}

function installService(command: Command, context: CliContext): void {
  const { name, user, memoryMax, print, root } = command.opts<InstallFlags>();
  const node = containsNode ? undefined : process.execPath;
  const plan = planOf(configOf(command, context), { name, user, memoryMax, node });
  if (print === true) {
    context.write(plan.unit);
    return;
  }
  if (root === undefined) {
    checkSystemd();
    checkRoot();
    addUser(user, name);
  }
  writePlan(plan, root ?? '/');
  context.write(`wrote ${underRoot(root ?? '/', plan.unitFile)}\n`);
  if (root !== undefined) return;
  for (const file of plan.files) {
    const mayRead = spawnSync('runuser', ['-u', user, '--', 'test', '-r', file]).status === 0;
    if (mayRead) continue;
    context.writeError(
      `the service can't read ${file}: chgrp ${user} ${file} && chmod g+r ${file}\n`,
    );
  }
  systemctl('daemon-reload');
  systemctl('enable', name);
  systemctl('restart', name);
  context.write(
    `${name} runs, also after a restart of this box; its log: journalctl -u ${name} -f\n`,
  );
}

function uninstallService({ name, root }: NameFlags, context: CliContext): void {
  checkName('name', name);
  const unitFile = underRoot(root ?? '/', `/etc/systemd/system/${name}.service`);
  if (root === undefined) {
    checkSystemd();
    checkRoot();
  }
  if (!existsSync(unitFile)) throw new UsageError(`there is no service ${name}: ${unitFile}`);
  if (root === undefined) systemctl('disable', '--now', name);
  rmSync(unitFile);
  if (root === undefined) systemctl('daemon-reload');
  context.write(`removed ${unitFile}; data, user and files stay\n`);
}

/** The program is copied, so that the service does not depend on where it was downloaded to. */
function writePlan({ unitFile, unit, program }: Plan, root: string): void {
  const source = containsNode ? process.execPath : resolve(process.argv[1] ?? '');
  const target = underRoot(root, program);
  for (const path of [target, underRoot(root, unitFile)]) {
    mkdirSync(dirname(path), { recursive: true });
  }
  if (source !== target) {
    copyFileSync(source, `${target}.new`);
    chmodSync(`${target}.new`, containsNode ? 0o755 : 0o644);
    renameSync(`${target}.new`, target);
  }
  writeFileSync(underRoot(root, unitFile), unit, { mode: 0o644 });
}

function checkSystemd(): void {
  if (existsSync(SYSTEMD)) return;
  throw new UsageError(
    'this machine does not run systemd: start the node with what it has; -print shows the unit, docs/containers.md has containers',
  );
}

function checkRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UsageError('only root can install a service: repeat the command with sudo');
}

function addUser(user: string, name: string): void {
  if (spawnSync('id', ['-u', user]).status === 0) return;
  const home = ['--no-create-home', '--home-dir', `/var/lib/${name}`];
  run('useradd', ['--system', '--user-group', ...home, '--shell', '/usr/sbin/nologin', user]);
}

function systemctl(...words: readonly string[]): void {
  run('systemctl', words);
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${program} ${words.join(' ')} failed: ${reason}`);
}
