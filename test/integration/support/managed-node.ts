// A node with its HTTP API and control socket in places of its own, for the tests of the API.

import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { ControlClient } from '../../../src/cli/control-client.ts';
import { loopbackFlags, ShoalProcess } from '../../support/shoal-process.ts';

export interface Managed {
  readonly shoal: ShoalProcess;
  /** As `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Path of the control socket. */
  readonly socket: string;
  readonly control: ControlClient;
  readonly folder: string;
}

/** @param folder of an earlier node, to start it again */
export async function startManaged(
  t: TestContext,
  flags: readonly string[] = [],
  folder = temporaryFolder(t),
): Promise<Managed> {
  const socket = join(folder, 'control.sock');
  const all = loopbackFlags('box1', '-http=127.0.0.1:0', `-control=${socket}`, ...flags);
  const shoal = new ShoalProcess(all, { cwd: folder });
  t.after(() => shoal.kill());
  const url = `http://${await shoal.httpAddress()}`;
  return { shoal, url, socket, control: new ControlClient(socket), folder };
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-http-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends exactly these headers; fetch() would replace some. */
export async function send(url: string, options: RequestOptions, body = ''): Promise<Answer> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, options, resolve).on('error', reject).end(body);
  });
  return { status: message.statusCode ?? 0, body: await text(message) };
}

export async function makeToken({ control }: Managed): Promise<string> {
  const answer = await control.ask({ method: 'POST', path: '/api/v1/tokens' });
  return (answer as { token: string }).token;
}

interface StreamEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a stream until an event fits; the test's time limit ends a wait in vain. */
export async function eventOf(
  stream: AsyncIterable<Buffer>,
  fits: (event: StreamEvent) => boolean,
): Promise<StreamEvent> {
  let rest = '';
  for await (const chunk of stream) {
    const parts = (rest + chunk.toString()).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const [, event = '', data = ''] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? [];
      if (event === '') continue;
      const parsed = { event, data: JSON.parse(data) as Record<string, unknown> };
      if (fits(parsed)) return parsed;
    }
  }
  throw new Error('the stream ended');
}
