// `shoal dashboard`: the address of the dashboard of the node on this machine, with a new token behind a #,
// which a browser sends to no server; with -qr also as a QR code for the camera of a phone.

import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { json } from 'node:stream/consumers';
import type { Command } from 'commander';
import { findHostAddress } from '../../net/host-address.ts';
import { formatHostPort, isLoopback, isUnspecified } from '../../shared/endpoint.ts';
import type { CliContext } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import { addNodeFlags, NodeConnection, type NodeFlags } from '../node-connection.ts';
import { printResult } from '../terminal/output.ts';
import { qrCodeLines } from '../terminal/qr-code.ts';

const TOKENS = '/api/v1/tokens';

interface DashboardFlags extends NodeFlags {
  readonly qr?: boolean;
}

interface Options {
  readonly options: readonly { readonly flag: string; readonly value: string }[];
}

interface Health {
  readonly node: string;
}

/** The default port may have been taken when the node started: then another program answers, or none. */
async function answersAt(origin: string, token: string, own: Health): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const url = `${origin}/healthz`;
  try {
    // The certificate may have another name than this address: only the browser has to accept it.
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = origin.startsWith('https:')
        ? httpsGet(url, { headers, rejectUnauthorized: false }, resolve)
        : httpGet(url, { headers }, resolve);
      sent.on('error', reject);
    });
    return ((await json(answer)) as Health).node === own.node;
  } catch {
    return false;
  }
}

function isOnlyHere(host: string): boolean {
  return host === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''));
}

/**
 * Where a browser finds it, as `192.168.1.100:8080`: an address for all of them is that of this machine.
 * @throws UsageError if a phone has to reach it and does not
 */
async function browserPlace(place: string, isForPhone: boolean): Promise<string> {
  const [, bracketed, plain = '', port = ''] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(place) ?? [];
  const listens = bracketed ?? plain;
  const host = isUnspecified(listens) ? await findHostAddress() : listens;
  if (isForPhone && isOnlyHere(host)) {
    throw new UsageError(
      `only this machine reaches -http=${place}; for a phone start the node with -http=0.0.0.0:${port}`,
    );
  }
  return formatHostPort({ host, port: Number(port) });
}

export function addDashboard(program: Command, context: CliContext): void {
  const dashboard = program
    .command('dashboard')
    .description('print the address of the dashboard, with a new token for it')
    .option('--qr', 'also as a QR code, for the camera of a phone');
  addNodeFlags(dashboard).action(async (flags: DashboardFlags) => {
    const node = await NodeConnection.open(dashboard, context);
    const { options } = await node.ask<Options>('/api/v1/config');
    const shownOf = (name: string) => options.find(({ flag }) => flag === name)?.value ?? '-';
    const place = shownOf('http');
    if (place === 'off' || place === '-') {
      throw new UsageError('this node runs with -http=off; start it with -http=127.0.0.1:8080');
    }
    const shown = await browserPlace(place, flags.qr === true);
    const { token } = await node.ask<{ token: string }>(TOKENS, { method: 'POST' });
    const own = await node.ask<Health>('/healthz');
    const origin = `${shownOf('http-cert') === '-' ? 'http' : 'https'}://${shown}`;
    if (!(await answersAt(origin, token, own))) {
      // Another program may have seen it.
      await node.ask(TOKENS, { method: 'DELETE', query: { id: token.split('.')[0] } });
      throw new UsageError(
        `${own.node} does not answer on ${origin}/: its log says why; choose another -http`,
      );
    }
    const url = `${origin}/#token=${token}`;
    const code = flags.qr === true ? qrCodeLines(url, context) : [];
    printResult(flags.json, context, { url }, () => [url, ...code]);
    const isRemote = context.environment.SSH_CONNECTION !== undefined;
    if (isRemote && isOnlyHere(new URL(url).hostname)) {
      const port = new URL(url).port;
      // Not on standard output: scripts take the address from there.
      context.writeError(
        `only this machine reaches it; first, on yours: ssh -L ${port}:${shown} ${context.hostName}\n`,
      );
    }
  });
}
