// Who may call what. Over the control socket everyone who can open it may do everything: the file system
// has checked the owner. Over TCP, reading from this machine is free; all else needs a token.

import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../shared/endpoint.ts';
import { HttpProblem } from './problem.ts';
import type { Access, Caller } from './route.ts';

export interface Visitor {
  readonly headers: IncomingHttpHeaders;
  /** Address of the peer; empty on the control socket. */
  readonly from: string;
  readonly access: Access;
}

export interface Gate {
  /** Rejects with an HttpProblem. */
  admit(visitor: Visitor): Promise<Caller>;
}

export const controlGate: Gate = {
  admit: async () => ({ kind: 'control', from: '' }),
};

export const tcpGate: Gate = {
  admit: async ({ headers, from, access }) => {
    checkSite(headers);
    if (access === 'change' || !isLoopback(from)) {
      throw new HttpProblem(401, 'This needs a token: Authorization: Bearer TOKEN.');
    }
    checkHost(headers);
    return { kind: 'http', from };
  },
};

/** Refuses what a page of another site sends from a browser. */
function checkSite(headers: IncomingHttpHeaders): void {
  const { origin, host = '' } = headers;
  const isOwn = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  const isForeignFetch =
    headers['sec-fetch-site'] === 'cross-site' && headers['sec-fetch-mode'] !== 'navigate';
  if (isOwn && !isForeignFetch) return;
  throw new HttpProblem(403, 'Requests from pages of another site are refused.');
}

/**
 * Without a token, only names that no stranger can point at this machine: DNS rebinding gives a page of
 * another site the address 127.0.0.1, but it still sends its own name.
 */
function checkHost({ host = '' }: IncomingHttpHeaders): void {
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  if (/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(name)) return;
  throw new HttpProblem(
    421,
    'Without a token, this node is reached as localhost or 127.0.0.1 only.',
  );
}
