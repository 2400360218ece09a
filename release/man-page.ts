// shoal(1), made from the commands of the parser, the option table and the exit codes, so that it has
// every one of them. Pure. Source: man(7), groff_man_style(7).

import { allCommands, type CommandNode } from '../src/cli/completion/command-tree.ts';
import { exitCodes } from '../src/cli/exit-codes.ts';
import { optionTable } from '../src/config/config.ts';
import { type AnyOption, environmentName, groups } from '../src/config/option.ts';

const EXIT_MEANINGS: Readonly<Record<keyof typeof exitCodes, string>> = {
  ok: 'Success, or the node stopped on request.',
  failure: 'A fault while the node ran, or a command that failed.',
  usage: 'The command line or the configuration is wrong, or Node is too old.',
  noNode: 'A command found no node on this machine.',
  address: "An address or a port can't be used.",
  nameInUse: 'Another node of the cluster has this name.',
  data: "The data folder can't be used.",
  incomplete: 'convert has translated a mosquitto.conf, but not all of it.',
  isolated: 'No other node was online for too long (-exit-without-peers).',
  timeout: 'The time of sub -W or rr -W is over.',
};

const DESCRIPTION = [
  'Shoal is an MQTT broker for 3.1, 3.1.1 and 5.0. Nodes that share a token form a cluster without a leader: gossip over UDP ' +
    'finds the other nodes and detects failures, and a second UDP channel carries each message to every node.',
  'Without a command, shoal runs a node. The commands ask the node on this machine, which answers for all nodes. A flag is ' +
    'written -flag=value; with two hyphens and with a space it means the same.',
];

const EXAMPLES: readonly (readonly [string, string])[] = [
  ['shoal', 'A broker on port 1883, for every client.'],
  ['shoal token make token', 'Makes a random token for a cluster.'],
  [
    'shoal -nid=box2 -csk-file=token -mbs=192.168.1.100:7946',
    'Joins the cluster of a node at 192.168.1.100.',
  ],
  ['shoal status', 'Says whether all nodes are well, and what to do if not.'],
];

const FILES: readonly (readonly [string, string])[] = [
  ['/etc/shoal/shoal.toml', 'Configuration of the service that the Debian package installs.'],
  ['/var/lib/shoal', 'Its sessions, queued and retained messages.'],
  ['/run/shoal/NODE.sock', 'The control socket of a node, through which the commands ask it.'],
];

/** @param sourceDate seconds since 1970 */
export function manPage(root: CommandNode, version: string, sourceDate: number): string {
  const date = new Date(sourceDate * 1000).toISOString().slice(0, 10);
  return [
    `.TH SHOAL 1 "${date}" "shoal ${version}" "User Commands"`,
    '.SH NAME',
    'shoal \\- MQTT broker that forms a cluster by itself',
    '.SH SYNOPSIS',
    '.B shoal',
    '.RI [ flags ]',
    '.br',
    '.B shoal',
    '.I command',
    '.RI [ flags ]',
    '.SH DESCRIPTION',
    DESCRIPTION.map(roff).join('\n.PP\n'),
    '.SH COMMANDS',
    `${roff('shoal COMMAND -help lists the flags of a command.')}`,
    ...allCommands(root)
      .filter(({ path }) => path !== '')
      .map(({ path, help }) => entry(path, sentence(help))),
    '.SH OPTIONS',
    roff(
      'Each is also a key of the TOML file that -config names, and a variable of the environment.',
    ),
    ...groups.flatMap(groupLines),
    '.SH EXIT STATUS',
    ...Object.entries(exitCodes).map(([name, code]) =>
      entry(`${code}`, EXIT_MEANINGS[name as keyof typeof exitCodes]),
    ),
    '.SH ENVIRONMENT',
    roff('A flag takes precedence over the environment, and the environment over the file.'),
    ...table().map(({ flag }) => entry(environmentName(flag), `As -${flag}.`)),
    '.SH FILES',
    ...FILES.map(([file, text]) => entry(file, text)),
    '.SH SIGNALS',
    entry('SIGTERM, SIGINT', 'Disconnects the clients, leaves the cluster and stops the node.'),
    entry('SIGHUP', 'Reads the configuration, certificates, passwords and access rules again.'),
    '.SH EXAMPLES',
    ...EXAMPLES.map(([command, text]) => entry(command, text)),
    '.SH SEE ALSO',
    '.BR mosquitto_pub (1),',
    '.BR mosquitto_sub (1),',
    '.BR systemctl (1)',
    '',
  ].join('\n');
}

function groupLines(group: (typeof groups)[number]): string[] {
  const rows = table().filter((row) => row.group === group);
  return [`.SS ${roff(group)}`, ...rows.map(optionEntry)];
}

function optionEntry({ flag, type, help, fallback, fallbackText, reload }: AnyOption): string {
  const value = fallback === undefined || typeof fallback === 'function' ? undefined : fallback;
  const shown = fallbackText ?? (value === undefined ? 'none' : type.format(value));
  const text = `${sentence(help)} Default: ${shown}.${reload === true ? ' SIGHUP applies a change.' : ''}`;
  return entry(type.placeholder === undefined ? `-${flag}` : `-${flag}=${type.placeholder}`, text);
}

function table(): readonly AnyOption[] {
  return Object.values(optionTable);
}

function entry(title: string, text: string): string {
  return `.TP\n.B ${roff(title)}\n${roff(text)}`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Text that roff prints as it is: a hyphen that can be copied, and no request at the start of a line. */
function roff(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/, '\\&$&');
}
