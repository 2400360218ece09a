// Options of access: who may come in, and what clients may do. The files behind them are read again
// on SIGHUP.

import { option } from './option.ts';
import { choice, httpUrl, onOff, path, seconds, text } from './value-types.ts';

export const accessOptions = {
  passwordFile: option({
    flag: 'auth',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: "users and their passwords, in mosquitto's format; made by shoal passwd",
    reload: true,
  }),
  aclFile: option({
    flag: 'acl',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: "topics that clients may use, in mosquitto's format",
    reload: true,
  }),
  anonymousAllowed: option({
    flag: 'anonymous',
    group: 'Access',
    type: onOff,
    fallback: undefined,
    fallbackText: 'true while no authentication is configured',
    help: 'let clients in that bring no user name',
    reload: true,
  }),
  tokenKeyFile: option({
    flag: 'auth-jwt-key',
    group: 'Access',
    type: path('file'),
    fallback: undefined,
    help: 'accept JSON Web Tokens as passwords: a secret (HS256) or public keys in PEM (RS256, ES256); read again on SIGHUP',
  }),
  tokenIssuer: option({
    flag: 'auth-jwt-issuer',
    group: 'Access',
    type: text('name'),
    fallback: undefined,
    fallbackText: 'any',
    help: 'issuer (iss) that a token has to name',
  }),
  tokenAudience: option({
    flag: 'auth-jwt-audience',
    group: 'Access',
    type: text('name'),
    fallback: undefined,
    fallbackText: 'any',
    help: 'audience (aud) that a token has to name',
  }),
  authUrl: option({
    flag: 'auth-http',
    group: 'Access',
    type: httpUrl,
    fallback: undefined,
    help: 'HTTP server that is asked about clients that are not in the password file',
  }),
  authFormat: option({
    flag: 'auth-http-format',
    group: 'Access',
    type: choice(['form', 'json']),
    fallback: 'form',
    help: 'form in which that server is asked',
  }),
  authCacheSeconds: option({
    flag: 'auth-http-cache',
    group: 'Access',
    type: seconds(0, 86_400),
    fallback: 60,
    help: 'time that a yes of that server counts for the same client and password; 0 to ask each time',
  }),
} as const;
