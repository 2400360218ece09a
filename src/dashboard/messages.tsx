// Messages of a Topic Filter as they arrive at one node. The list is bounded, and the stream ends with it.

import { useEffect, useState } from 'preact/hooks';
import { formatBytes, formatNumber } from '../shared/units.ts';
import { type ApiError, follow } from './api.ts';
import { batch } from './batch.ts';
import { clockOf } from './plot.tsx';

const MESSAGES_MAX = 200;

interface Message {
  readonly node: string;
  readonly at: number;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly bytes: number;
  readonly encoding: 'text' | 'base64';
  readonly payload: string;
}

/** @param node where the messages are taken */
export function Messages({ filter, node }: { filter: string; node: string }) {
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [missed, setMissed] = useState(0);
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    setMessages([]);
    const gathered = batch<Message>((items) =>
      setMessages((before) => [...[...items].reverse(), ...before].slice(0, MESSAGES_MAX)),
    );
    const end = follow(
      '/api/v1/subscribe',
      { filter, node },
      {
        event: (name, data) => {
          setError(undefined);
          if (name === 'message') gathered.add(data as Message);
          if (name === 'dropped') setMissed((count) => count + (data as { count: number }).count);
        },
        broken: setError,
      },
    );
    return () => {
      gathered.end();
      end();
    };
  }, [filter, node]);
  return (
    <section aria-label={`Messages of ${filter} at ${node}`}>
      <h3>
        Messages of <code>{filter}</code> at {node}
      </h3>
      {error !== undefined && <p class="bad">{error.message}</p>}
      {missed > 0 && (
        <p class="warn">{formatNumber(missed, 'message')} came too fast for this page.</p>
      )}
      {messages.length === 0 && error === undefined && <p class="empty">None so far.</p>}
      <ol class="messages">
        {messages.map(({ at, topic, qos, retain, bytes, payload, encoding }, index) => (
          <li key={messages.length - index}>
            <time>{clockOf(at)}</time> <code>{topic}</code>{' '}
            <small>
              QoS {qos}, {formatBytes(bytes)}
              {retain && ', retained'}
            </small>
            <pre>{encoding === 'text' ? payload : `base64 ${payload}`}</pre>
          </li>
        ))}
      </ol>
    </section>
  );
}
