// Options of access control: who may connect, and which topics clients may use. SIGHUP reads the
// files behind them again.

import { option } from './option.ts';
import { choice, count, httpUrl, onOff, path, seconds, text } from './value-types.ts';

export const accessOptions = {
  passwordFile: option({
    flag: 'auth',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: "users and their passwords, in mosquitto's format; shoal passwd makes one",
    reload: true,
  }),
  aclFile: option({
    flag: 'acl',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: "topics that each user may read and write, in mosquitto's format",
    reload: true,
  }),
  anonymousAllowed: option({
    flag: 'anonymous',
    group: 'Access',
    type: onOff,
    fallback: undefined,
    fallbackText: 'true while no authentication is configured',
    help: 'accept clients that send no user name',
    reload: true,
  }),
  tokenKeyFile: option({
    flag: 'auth-jwt-key',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: 'accept JSON Web Tokens as passwords: a secret (HS256) or public keys in PEM (RS256, ES256)',
    reload: true,
  }),
  tokenIssuer: option({
    flag: 'auth-jwt-issuer',
    group: 'Access',
    type: text('name'),
    fallback: undefined,
    fallbackText: 'any',
    help: 'issuer (iss) that a token must name',
  }),
  tokenAudience: option({
    flag: 'auth-jwt-audience',
    group: 'Access',
    type: text('name'),
    fallback: undefined,
    fallbackText: 'any',
    help: 'audience (aud) that a token must name',
  }),
  tokenExpiryRequired: option({
    flag: 'auth-jwt-require-exp',
    group: 'Access',
    type: onOff,
    fallback: false,
    help: 'refuse tokens that never expire (without exp)',
  }),
  authUrl: option({
    flag: 'auth-http',
    group: 'Access',
    type: httpUrl,
    fallback: undefined,
    help: 'HTTP server to ask about clients that the password file does not know',
    reload: true,
  }),
  authFormat: option({
    flag: 'auth-http-format',
    group: 'Access',
    type: choice(['form', 'json']),
    fallback: 'form',
    help: 'form of the requests to that server',
  }),
  authCacheSeconds: option({
    flag: 'auth-http-cache',
    group: 'Access',
    type: seconds(0, 86_400),
    fallback: 60,
    help: 'how long an acceptance by that server holds for the same client and password; 0 asks each time',
  }),
  loginIpv4Bits: option({
    flag: 'auth-ipv4-prefix',
    group: 'Access',
    type: count(8, 32),
    fallback: 32,
    help: 'logins that wait for their check take turns by address; IPv4 addresses with the same first bits are one, as an IPv6 /64 always is',
  }),
} as const;
