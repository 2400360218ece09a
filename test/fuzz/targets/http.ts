// Fuzz targets: requests of the HTTP API, and the events that it streams.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { sentEvents } from '../../../src/cli/event-source.ts';
import { EventStream } from '../../../src/http/event-stream.ts';
import { HttpProblem } from '../../../src/http/problem.ts';
import { readTarget } from '../../../src/http/request-target.ts';
import { routeTable } from '../../../src/http/route-table.ts';
import { FakeNodeApi } from '../../support/fake-node-api.ts';
import { makeRouter } from '../../support/fake-router.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const node = new FakeNodeApi();
const router = await makeRouter(node);

/** @returns undefined for a target that is refused */
function targetOf(url: string): ReturnType<typeof readTarget> | undefined {
  try {
    const target = readTarget(url);
    assert.equal(Object.getPrototypeOf(target.query), null);
    assert.ok(!target.path.includes('?'));
    // What is read can be written again.
    const again = readTarget(`${target.path}?${new URLSearchParams(target.query)}`);
    assert.deepEqual(again, target);
    return target;
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    return undefined;
  }
}

/** The control socket has the same routes. */
const http: FuzzTarget = {
  name: 'http',
  what: 'requests to the HTTP API and the control socket: method, path, query, body',
  bytesMax: 400,
  words: [
    ...routeTable.map(({ path }) => path),
    'GET\n',
    'POST\n',
    'DELETE\n',
    '{"topic":"a"}',
    'node=',
    'limit=',
    '&',
    '%00',
    '..',
    '__proto__',
  ],
  covers: sources('/http/'),
  run: async (input) => {
    const [method = '', place = '', search = '', ...body] = input.toString('utf8').split('\n');
    const target = targetOf(search === '' ? place : `${place}?${search}`);
    // Tokens cost a hash each, and the doctor needs a node.
    if (target === undefined || /tokens|doctor|ping/.test(target.path)) return;
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.join('\n'));
    } catch {
      parsed = body.length > 0 ? body.join('\n') : undefined;
    }
    await router.answer({ method, ...target, body: parsed }, 'box2');
    assert.deepEqual(node.faults, []);
  },
};

/** What the server writes for these events. */
function streamOf(sent: readonly { event: string; data: object }[]): Buffer {
  const chunks: string[] = [];
  const response = Object.assign(new EventEmitter(), {
    writableLength: 0,
    write: (chunk: string) => chunks.push(chunk) > 0,
    end: () => undefined,
  });
  const stream = new EventStream(response as unknown as ServerResponse, { open: 0, dropped: 0 });
  for (const { event, data } of sent) stream.send(event, data);
  stream.end();
  response.emit('close');
  return Buffer.from(chunks.join(''));
}

/** Clients choose topics and payloads, other nodes the names of events too, from which the router takes line ends. */
const events: FuzzTarget = {
  name: 'events',
  what: 'streams of events, in chunks of any size: their texts, and the names of events of other nodes',
  bytesMax: 300,
  words: ['\u2028', '\u2029', '\u0085', '\n\n', '\r', 'data: ', 'event: ', '\ud83d\ude00', '\0'],
  covers: sources('/http/event-stream', '/shared/sent-events', '/cli/event-source'),
  run: async (input) => {
    const [chunkBytes = 1, nameBytes = 0] = input;
    const name = input.toString('utf8', 2, 2 + (nameBytes % 16)).replace(/[\r\n]/g, '');
    const texts = input.toString('utf8', 2 + (nameBytes % 16)).split('\0');
    const sent = texts.map((text) => ({ event: name, data: { topic: text } }));
    const bytes = streamOf(sent);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += chunkBytes || 1) {
      chunks.push(bytes.subarray(at, at + (chunkBytes || 1)));
    }
    const received = [];
    for await (const event of sentEvents(Readable.from(chunks, { objectMode: false }))) {
      received.push(event);
    }
    assert.deepEqual(received, sent);
  },
};

export const httpTargets: readonly FuzzTarget[] = [http, events];
