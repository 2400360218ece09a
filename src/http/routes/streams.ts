// Streams of server-sent events: what the nodes log, and the messages of a filter.

import { isUtf8 } from 'node:buffer';
import { isTopicFilter } from '../../mqtt/topic.ts';
import type { LogEvent } from '../event-log.ts';
import type { HistoryView, NodeApi, Observations } from '../node-api.ts';
import { pageQuery } from '../page.ts';
import { HttpProblem } from '../problem.ts';
import { streamRoute } from '../route.ts';
import { integer, optional, text } from '../schema.ts';

const SITE_EVERY_MS = 1000;
const OBSERVED_EVERY_MS = 2000;
const BANS_SHOWN = 20;
const ONLINE: ReadonlySet<string> = new Set(['alive', 'suspect']);
/** Times that only pass are no change. */
const DURATIONS = /\d+ (?:s|min|h|d)\b/g;
const TRACE_SECONDS = 60;
const TRACE_SECONDS_MAX = 300;
const PAYLOAD_BYTES = 1024;
const PAYLOAD_BYTES_MAX = 65_536;

function notAFilter(): HttpProblem {
  return new HttpProblem(400, 'The filter is not valid.');
}

function newerThan({ samples, marks }: HistoryView, time: number): HistoryView {
  return {
    samples: samples.filter(({ at }) => at > time),
    marks: marks.filter(({ at }) => at > time),
  };
}

function observationsOf(node: NodeApi): Observations {
  const others = node.nodes().filter(({ isSelf, state }) => !isSelf && ONLINE.has(state));
  const links = others.map(({ name, loss, blocked }) => ({ name, loss, blocked }));
  const rttSeconds: Record<string, number | null> = {};
  for (const other of others) rttSeconds[other.name] = other.rttSeconds;
  return {
    node: node.name,
    verdict: node.verdict(),
    links,
    rttSeconds,
    bans: [...node.guards.bans()].sort((a, b) => b.until - a.until).slice(0, BANS_SHOWN),
    slowSubscribers: node.guards.slowSubscribers(),
    bridges: node.bridges.list(),
  };
}

export const streamRoutes = [
  streamRoute({
    path: '/api/v1/site',
    access: 'read',
    isOfOneNode: true,
    summary:
      'what /api/v1/nodes answers, with the time of the node, now and each second: events `site`; what /api/v1/history answers, and then what is new in it: events `history`',
    query: { node: pageQuery.node },
    handler: ({ node }) => {
      return (sink) => {
        let sentUntil = 0;
        const send = (): void => {
          const { retainedHash } = node;
          const site = { verdict: node.verdict(), nodes: node.nodes() };
          const strangers = node.strangers();
          sink.send('site', { now: Date.now(), ...site, strangers, retainedHash });
          const { samples, marks } = newerThan(node.history(), sentUntil);
          if (samples.length + marks.length === 0) return;
          sentUntil = Math.max(...[...samples, ...marks].map(({ at }) => at));
          sink.send('history', { samples, marks });
        };
        send();
        const timer = setInterval(send, SITE_EVERY_MS);
        return () => clearInterval(timer);
      };
    },
  }),
  streamRoute({
    path: '/api/v1/observations',
    access: 'read',
    summary:
      'what only a node itself can see: its verdict, its links to the others, bans, slow subscribers, bridges; events `observed`, now and when it changes',
    query: { node: pageQuery.node },
    handler: ({ node }) => {
      return (sink) => {
        let last = '';
        const send = (): void => {
          const observed = observationsOf(node);
          const text = JSON.stringify({ ...observed, rttSeconds: {} }).replace(DURATIONS, '');
          if (text === last) return;
          last = text;
          sink.send('observed', observed);
        };
        send();
        const timer = setInterval(send, OBSERVED_EVERY_MS);
        return () => clearInterval(timer);
      };
    },
  }),
  streamRoute({
    path: '/api/v1/events',
    access: 'read',
    summary: 'what the nodes log from now on, after the last `past` lines of each: events `log`',
    query: {
      node: pageQuery.node,
      past: optional(integer(0, 200)),
      client: optional(text({ help: 'Only lines about this client', maxLength: 65_535 })),
    },
    handler: ({ node, services, query }) => {
      const { past = 0, client } = query;
      return (sink) => {
        const send = (event: LogEvent): void => {
          if (client !== undefined && event.fields.client !== client) return;
          sink.send('log', { node: node.name, ...event });
        };
        if (past > 0) services.events.kept.slice(-past).forEach(send);
        return services.events.listen(send);
      };
    },
  }),
  streamRoute({
    path: '/api/v1/trace',
    access: 'content',
    isLimited: true,
    summary:
      'packets of one client, or PUBLISH packets of one topic, from now on: events `packet`; `begin` and `end` of each node',
    query: {
      client: optional(text({ help: 'Client Identifier', maxLength: 65_535 })),
      topic: optional(text({ help: 'Topic Filter', minLength: 1, maxLength: 65_535 })),
      seconds: optional(integer(1, TRACE_SECONDS_MAX, 'Until the trace ends; 60')),
      payload: optional(integer(0, PAYLOAD_BYTES, 'Bytes of a payload that are shown; 0')),
      node: pageQuery.node,
    },
    handler: ({ node, query }) => {
      const { client, topic, seconds = TRACE_SECONDS, payload: payloadBytes = 0 } = query;
      if (client === undefined && topic === undefined) {
        throw new HttpProblem(400, 'A trace needs a client or a topic.');
      }
      if (topic !== undefined && !isTopicFilter(topic)) throw notAFilter();
      return (sink) => {
        sink.send('begin', { node: node.name });
        return node.trace(
          { client, topic, seconds, payloadBytes },
          (packet) => sink.send('packet', () => ({ node: node.name, at: Date.now(), ...packet })),
          (reason) => {
            sink.send('end', { node: node.name, reason });
            sink.end();
          },
        );
      };
    },
  }),
  streamRoute({
    path: '/api/v1/subscribe',
    access: 'content',
    isOfOneNode: true,
    summary: 'messages from now on that match the filter, retained ones first: events `message`',
    query: {
      filter: text({ help: 'Topic Filter', minLength: 1, maxLength: 65_535 }),
      node: pageQuery.node,
      payload: optional(integer(0, PAYLOAD_BYTES_MAX, 'Bytes of a payload that are shown; 1024')),
    },
    handler: ({ node, query }) => {
      const { filter, payload: shown = PAYLOAD_BYTES } = query;
      if (!isTopicFilter(filter)) throw notAFilter();
      return (sink) =>
        node.observe(filter, ({ topic, payload, qos, retain }) => {
          sink.send('message', () => {
            const part = payload.subarray(0, shown);
            const encoding = isUtf8(part) ? 'text' : 'base64';
            const content = part.toString(encoding === 'text' ? 'utf8' : 'base64');
            const head = { node: node.name, at: Date.now(), topic, qos, retain };
            return { ...head, bytes: payload.length, encoding, payload: content };
          });
        });
    },
  }),
];
