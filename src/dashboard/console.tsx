// Publishes through one node and subscribes through another: whether the cluster works, seen from a phone.

import { useState } from 'preact/hooks';
import type { NodeView } from '../http/node-api.ts';
import { ApiError, call } from './api.ts';
import { Messages } from './messages.tsx';

/** A topic of the tree leads here: #console/TOPIC. */
function topicOfAddress(): string {
  const [, topic = ''] = location.hash.split('/', 2);
  return decodeURIComponent(topic) || 'test/hello';
}

export function Console({ nodes }: { nodes: readonly NodeView[] }) {
  const online = nodes.filter(({ state }) => state === 'alive' || state === 'suspect');
  return (
    <>
      <h2>Console</h2>
      <Subscribe nodes={online} />
      <Publish nodes={online} />
    </>
  );
}

function NodeChoice(props: {
  readonly nodes: readonly NodeView[];
  readonly value: string;
  readonly choose: (name: string) => void;
}) {
  return (
    <label>
      Through
      <select value={props.value} onChange={(event) => props.choose(event.currentTarget.value)}>
        {props.nodes.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function Subscribe({ nodes }: { nodes: readonly NodeView[] }) {
  const [filter, setFilter] = useState('test/#');
  const [node, setNode] = useState('');
  const [running, setRunning] = useState<{ filter: string; node: string }>();
  const place = node || (nodes.at(-1)?.name ?? '');
  function submit(event: Event): void {
    event.preventDefault();
    setRunning(running === undefined ? { filter, node: place } : undefined);
  }
  return (
    <section class="card" aria-label="Subscribe">
      <form onSubmit={submit}>
        <label>
          Topic Filter
          <input value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        </label>
        <NodeChoice nodes={nodes} value={place} choose={setNode} />
        <button type="submit">{running === undefined ? 'Subscribe' : 'End'}</button>
      </form>
      {running !== undefined && <Messages {...running} />}
    </section>
  );
}

function Publish({ nodes }: { nodes: readonly NodeView[] }) {
  const [topic, setTopic] = useState(topicOfAddress);
  const [payload, setPayload] = useState('world');
  const [qos, setQos] = useState(0);
  const [retain, setRetain] = useState(false);
  const [node, setNode] = useState('');
  const [note, setNote] = useState('');
  const place = node || (nodes[0]?.name ?? '');
  async function publish(): Promise<void> {
    try {
      const body = { topic, payload, qos, retain };
      await call('POST', '/api/v1/publish', { query: { node: place }, body });
      setNote(`Published through ${place} at ${new Date().toLocaleTimeString()}.`);
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  function submit(event: Event): void {
    event.preventDefault();
    void publish();
  }
  return (
    <section class="card" aria-label="Publish">
      <form onSubmit={submit}>
        <label>
          Topic
          <input value={topic} onInput={(event) => setTopic(event.currentTarget.value)} />
        </label>
        <label>
          Payload
          <textarea
            rows={3}
            value={payload}
            onInput={(event) => setPayload(event.currentTarget.value)}
          />
        </label>
        <label>
          QoS
          <select value={qos} onChange={(event) => setQos(Number(event.currentTarget.value))}>
            <option>0</option>
            <option>1</option>
            <option>2</option>
          </select>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={retain}
            onChange={(event) => setRetain(event.currentTarget.checked)}
          />
          Retain
        </label>
        <NodeChoice nodes={nodes} value={place} choose={setNode} />
        <button type="submit">Publish</button>
      </form>
      <p role="status">{note}</p>
    </section>
  );
}
