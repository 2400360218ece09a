// Options of the management interface: HTTP on TCP, and the control socket of the commands.

import { option } from './option.ts';
import { httpAddress, path, type ValueType } from './value-types.ts';

const socketPath: ValueType<string> = {
  ...path('file'),
  placeholder: 'path',
  expected: 'auto, off or the path of a Unix socket',
  inFolder: (value, folder) =>
    value === 'auto' || value === 'off' ? value : (path('file').inFolder?.(value, folder) ?? value),
};

export const httpOptions = {
  http: option({
    flag: 'http',
    group: 'Management',
    type: httpAddress,
    fallback: { host: '127.0.0.1', port: 8080, isDefault: true },
    help: 'address of the HTTP API, the metrics and the dashboard; off for none',
  }),
  httpCert: option({
    flag: 'http-cert',
    group: 'Management',
    type: path('file'),
    fallback: undefined,
    help: 'certificate with its chain, PEM: -http then speaks TLS only; a new one is taken over when the file changes',
  }),
  httpKey: option({
    flag: 'http-key',
    group: 'Management',
    type: path('file'),
    fallback: undefined,
    fallbackText: 'the file of -http-cert',
    help: 'private key of that certificate, PEM',
  }),
  httpTokenFile: option({
    flag: 'http-token-file',
    group: 'Management',
    type: path('file'),
    fallback: undefined,
    fallbackText: 'http-tokens.json in the folder of -data; without that, in memory',
    help: 'file that keeps hashes of the tokens of the HTTP API',
  }),
  control: option({
    flag: 'control',
    group: 'Management',
    type: socketPath,
    fallback: 'auto',
    help: 'control socket of the commands, for the user of the node only; auto names it after the node',
  }),
} as const;
