// Options of the listeners: where clients connect, by which protocol, with which certificates. The
// first four open one listener each. The others apply to these and are the defaults of each
// [[listener]] of the file (listeners.ts). SIGHUP applies all of them.

import { type DefaultContext, option } from './option.ts';
import {
  choice,
  ipAddress,
  list,
  onOff,
  path,
  port,
  type ValueType,
  webOrigin,
  webPath,
} from './value-types.ts';

const portOrOff: ValueType<number | 'off'> = {
  placeholder: 'port',
  expected: `${port.expected}, or off`,
  parse: (value) => (value === 'off' ? value : port.parse(value)),
  format: String,
};

/** The label of a host name, with room for what is appended to it. */
const hostLabelOrOff: ValueType<string> = {
  placeholder: 'name',
  expected: 'a host name of 1 to 40 lower-case letters, digits and hyphens without .local, or off',
  parse: (value) => (/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(value) ? value : undefined),
  format: (value) => value,
};

export const listenerOptions = {
  port: option({
    flag: 'port',
    group: 'Listeners',
    type: portOrOff,
    fallback: ({ hasListenerTables }: DefaultContext) => (hasListenerTables ? 'off' : 1883),
    fallbackText: '1883; off if [[listener]] is given',
    help: 'port for MQTT over TCP',
    reload: true,
  }),
  tlsPort: option({
    flag: 'tls',
    group: 'Listeners',
    type: portOrOff,
    fallback: 'off',
    help: 'port for MQTT over TLS, by custom 8883; needs -cert and -key',
    reload: true,
  }),
  wsPort: option({
    flag: 'ws',
    group: 'Listeners',
    type: portOrOff,
    fallback: 'off',
    help: 'port for MQTT over WebSocket, by custom 8083 or 9001',
    reload: true,
  }),
  wssPort: option({
    flag: 'wss',
    group: 'Listeners',
    type: portOrOff,
    fallback: 'off',
    help: 'port for MQTT over WebSocket and TLS, by custom 8084; needs -cert and -key',
    reload: true,
  }),
  bindAddress: option({
    flag: 'bind',
    group: 'Listeners',
    type: ipAddress,
    fallback: undefined,
    fallbackText: 'all',
    help: 'address to listen on, for MQTT and for the cluster',
    reload: true,
  }),
  mdns: option({
    flag: 'mdns',
    group: 'Listeners',
    type: hostLabelOrOff,
    fallback: 'shoal',
    help: 'announce the listeners on the local network by mDNS, and lead NAME.local to a live node; off for neither',
  }),
  cert: option({
    flag: 'cert',
    group: 'Listeners',
    type: list(path('file')),
    fallback: undefined,
    help: 'certificate with its chain, PEM; of several, the server name that the client asks for (SNI) selects one',
    reload: true,
  }),
  key: option({
    flag: 'key',
    group: 'Listeners',
    type: list(path('file')),
    fallback: undefined,
    help: 'private key of the certificate, PEM; several in the order of -cert',
    reload: true,
  }),
  ca: option({
    flag: 'ca',
    group: 'Listeners',
    type: path('file'),
    fallback: undefined,
    help: 'authorities whose client certificates are accepted, PEM',
    reload: true,
  }),
  crl: option({
    flag: 'crl',
    group: 'Listeners',
    type: path('file'),
    fallback: undefined,
    help: 'revoked client certificates: the revocation lists of the authorities in -ca, PEM',
    reload: true,
  }),
  clientCertificate: option({
    flag: 'require-certificate',
    group: 'Listeners',
    type: choice(['no', 'optional', 'required'], {
      false: 'no',
      true: 'required',
      yes: 'required',
    }),
    fallback: 'no',
    help: 'ask TLS clients for a certificate; one that is sent must be valid',
    reload: true,
  }),
  identityAsUsername: option({
    flag: 'use-identity-as-username',
    group: 'Listeners',
    type: onOff,
    fallback: false,
    help: "take the Common Name of a client's certificate as its user name",
    reload: true,
  }),
  tlsVersion: option({
    flag: 'tls-version',
    group: 'Listeners',
    type: choice(['1.2', '1.3'], { 'tlsv1.2': '1.2', 'tlsv1.3': '1.3' }),
    fallback: '1.2',
    help: 'lowest TLS version to accept',
    reload: true,
  }),
  proxyProtocol: option({
    flag: 'proxy-protocol',
    group: 'Listeners',
    type: onOff,
    fallback: false,
    help: "expect each client's address from a load balancer (PROXY protocol 1 or 2), and refuse connections without it",
    reload: true,
  }),
  paths: option({
    flag: 'ws-path',
    group: 'Listeners',
    type: list(webPath),
    fallback: ['/mqtt', '/'],
    help: 'paths that WebSocket clients may ask for, with or without a slash at the end; * for any',
    reload: true,
  }),
  origins: option({
    flag: 'ws-origin',
    group: 'Listeners',
    type: list(webOrigin),
    fallback: undefined,
    fallbackText: 'any',
    help: 'web pages whose scripts may connect by WebSocket, as https://example.org; * for any',
    reload: true,
  }),
} as const;
