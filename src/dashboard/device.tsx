// One client: where it is, what it subscribes to, what waits for it, and what a person can do about it.

import { useEffect, useState } from 'preact/hooks';
import type { ClientDetail, ClientView } from '../http/node-api.ts';
import { formatBytes, formatCount, formatDuration } from '../shared/units.ts';
import { ApiError, call } from './api.ts';
import { Messages } from './messages.tsx';
import { WatchButton } from './watch.tsx';

export function Device({ id }: { id: string }) {
  const [detail, setDetail] = useState<ClientDetail>();
  const [note, setNote] = useState('');
  const path = `/api/v1/clients/${encodeURIComponent(id)}`;
  async function read(): Promise<void> {
    try {
      setDetail(await call<ClientDetail>('GET', path));
    } catch (error) {
      setDetail(undefined);
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  useEffect(() => void read(), [path]);
  async function change(method: 'POST' | 'DELETE', target: string, done: string): Promise<void> {
    try {
      await call(method, target);
      setNote(done);
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
    await read();
  }
  return (
    <article class="device">
      <p>
        <a href="#devices">All devices</a>
      </p>
      <h2>{id}</h2>
      <p class="actions">
        <button type="button" onClick={() => void read()}>
          Read again
        </button>
        <button
          type="button"
          disabled={detail?.client.isConnected !== true}
          onClick={() => void change('POST', `${path}/disconnect`, 'It was disconnected.')}
        >
          Disconnect
        </button>
        <ForgetButton
          isDisabled={detail === undefined}
          confirmed={() => void change('DELETE', path, 'Its session is forgotten.')}
        />
      </p>
      <p role="status">{note}</p>
      <WatchButton client={id} />
      {detail !== undefined && <Detail detail={detail} />}
    </article>
  );
}

/** What is forgotten does not come back, so the button asks once more. */
function ForgetButton({ isDisabled, confirmed }: { isDisabled: boolean; confirmed: () => void }) {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    return (
      <button type="button" disabled={isDisabled} onClick={() => setAsking(true)}>
        Forget session
      </button>
    );
  }
  return (
    <>
      <button
        type="button"
        class="danger"
        onClick={() => {
          setAsking(false);
          confirmed();
        }}
      >
        Lose its subscriptions and messages
      </button>
      <button type="button" onClick={() => setAsking(false)}>
        Keep them
      </button>
    </>
  );
}

function Detail({ detail: { client, subscriptions, deliveries, will } }: { detail: ClientDetail }) {
  return (
    <>
      <dl class="facts">
        {factsOf(client).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {will !== null && (
          <div>
            <dt>Will</dt>
            <dd>
              {will.topic}, QoS {will.qos}, {formatBytes(will.bytes)}
            </dd>
          </div>
        )}
      </dl>
      <h3>Subscriptions</h3>
      {subscriptions.length === 0 && <p class="empty">None.</p>}
      <ul class="plain">
        {subscriptions.map(({ filter, qos, noLocal }) => (
          <li key={filter}>
            <code>{filter}</code> QoS {qos}
            {noLocal && ', not its own messages'}
          </li>
        ))}
      </ul>
      <h3>Messages that wait</h3>
      {deliveries.length === 0 && <p class="empty">None.</p>}
      <ul class="plain">
        {deliveries.map(({ topic, qos, bytes, state, packetId }, index) => (
          <li key={`${packetId} ${index}`}>
            <code>{topic}</code> QoS {qos}, {formatBytes(bytes)}, {state}
          </li>
        ))}
      </ul>
      {subscriptions.length > 0 && (
        <Messages filter={subscriptions[0]!.filter} node={client.node} />
      )}
    </>
  );
}

function factsOf(client: ClientView): [string, string][] {
  const { node, isConnected, since, user, address, listener, mqtt, expirySeconds } = client;
  const age = since === null ? '' : ` for ${formatDuration(Date.now() - since)}`;
  return [
    ['Node', node],
    ['State', isConnected ? `connected${age}` : 'away'],
    ['User', user ?? 'none'],
    ['Address', address ?? '-'],
    ['Listener', listener ?? '-'],
    ['MQTT', mqtt ?? '-'],
    [
      'Session ends',
      expirySeconds === null ? 'never' : `${formatCount(expirySeconds)} s after it leaves`,
    ],
    ['Queue', `${formatCount(client.queued)} messages, ${formatCount(client.inflight)} in flight`],
  ];
}
