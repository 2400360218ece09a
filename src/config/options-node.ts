// Options of the node itself: its name, its files and its log.

import { NAME_BYTES_MAX } from '../swim/record.ts';
import { type DefaultContext, option } from './option.ts';
import { choice, name, onOff, path } from './value-types.ts';

export const nodeOptions = {
  nodeName: option({
    flag: 'nid',
    group: 'Node',
    type: name(NAME_BYTES_MAX),
    fallback: ({ hostName }: DefaultContext) => hostName,
    fallbackText: 'the host name',
    help: 'node name, unique in the cluster',
  }),
  configFile: option({
    flag: 'config',
    group: 'Node',
    type: path('file'),
    fallback: undefined,
    help: 'TOML file; its keys are these options',
  }),
  dataFolder: option({
    flag: 'data',
    group: 'Node',
    type: path('folder'),
    fallback: undefined,
    fallbackText: 'none: everything stays in memory',
    help: 'folder for sessions, queued and retained messages, which then survive a restart or a power cut',
  }),
  watchFiles: option({
    flag: 'watch-files',
    group: 'Node',
    type: onOff,
    fallback: true,
    help: 'take over certificates, keys, revocation lists, users, topics and tokens when their files change, without SIGHUP',
  }),
  logLevel: option({
    flag: 'log-level',
    group: 'Log',
    type: choice(['debug', 'info', 'warn', 'error']),
    fallback: 'info',
    help: 'least important level to write',
    reload: true,
  }),
  logFormat: option({
    flag: 'log-format',
    group: 'Log',
    type: choice(['auto', 'text', 'logfmt', 'json']),
    fallback: 'auto',
    help: 'format of a log line; auto is text on a terminal and logfmt elsewhere',
  }),
  logTime: option({
    flag: 'log-time',
    group: 'Log',
    type: choice(['local', 'iso']),
    fallback: 'local',
    help: 'time in text lines: local, as 2026/11/20 14:48:27, or ISO 8601 in UTC',
  }),
} as const;
