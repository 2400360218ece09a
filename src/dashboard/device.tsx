// One client: where it is, what it subscribes to, what waits for it, and what a person can do about it.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ClientDetail } from '../http/client-detail-view.ts';
import type { ClientView } from '../http/node-api.ts';
import { MessageRateMeter, type MessageRates } from '../shared/message-rates.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from '../shared/units.ts';
import { ApiError, call } from './api.ts';
import { DeviceTimeline } from './device-timeline.tsx';
import { Messages } from './messages.tsx';
import { nodeNow } from './site.ts';
import { WatchButton } from './watch.tsx';

/** The page is read again this often while it is seen: the rates of the client need two looks. */
const READ_AGAIN_MS = 2_000;
/** Names of the times that a person may block a device for, in seconds. */
const BLOCK_TIMES: readonly (readonly [name: string, seconds: number])[] = [
  ['10 minutes', 600],
  ['1 hour', 3600],
  ['1 day', 86_400],
];

/** The boxes on which a change was not made. */
interface Answer {
  readonly missing?: readonly { readonly node: string; readonly problem: string }[];
}

export function Device({ id }: { id: string }) {
  const [detail, setDetail] = useState<ClientDetail>();
  const [note, setNote] = useState('');
  const [fault, setFault] = useState('');
  const meter = useRef(new MessageRateMeter());
  const path = `/api/v1/clients/${encodeURIComponent(id)}`;
  async function read(): Promise<void> {
    try {
      const found = await call<ClientDetail>('GET', path);
      meter.current.look([found.client], performance.now());
      setDetail(found);
      setFault('');
    } catch (error) {
      setDetail(undefined);
      setFault(error instanceof ApiError ? error.message : String(error));
    }
  }
  useEffect(() => {
    void read();
    const timer = setInterval(() => {
      if (!document.hidden) void read();
    }, READ_AGAIN_MS);
    return () => clearInterval(timer);
  }, [path]);
  async function change(method: 'POST' | 'DELETE', target: string, done: string): Promise<void> {
    try {
      await call(method, target);
      setNote(done);
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
    await read();
  }
  /** A ban ends no connection, so the device is disconnected behind it. */
  async function block(name: string, seconds: number): Promise<void> {
    try {
      const body = { client: id, seconds };
      const { missing = [] } = await call<Answer>('POST', '/api/v1/bans', { body });
      const faults = missing.map(({ node, problem }) => `Not blocked on ${node}: ${problem}`);
      setNote(faults.join(' ') || `It may not connect to any box for ${name}.`);
      if (detail?.client.isConnected === true) await call('POST', `${path}/disconnect`);
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
        <button
          type="button"
          disabled={detail?.client.isConnected !== true}
          onClick={() => void change('POST', `${path}/disconnect`, 'It was disconnected.')}
        >
          Disconnect
        </button>
        <BlockButton block={(name, seconds) => void block(name, seconds)} />
        <ForgetButton
          isDisabled={detail === undefined}
          confirmed={() => void change('DELETE', path, 'Its session is forgotten.')}
        />
      </p>
      <p role="status">{note}</p>
      {fault !== '' && <p class="empty">{fault}</p>}
      <WatchButton client={id} />
      <DeviceTimeline path={path} client={id} />
      {detail !== undefined && <Detail detail={detail} rates={meter.current.of(detail.client)} />}
    </article>
  );
}

function BlockButton({ block }: { block: (name: string, seconds: number) => void }) {
  const [chosen, setChosen] = useState(1);
  const [name, seconds] = BLOCK_TIMES[chosen] ?? ['1 hour', 3600];
  return (
    <span class="joined">
      <button type="button" class="danger" onClick={() => block(name, seconds)}>
        Block for
      </button>
      <select
        aria-label="How long it is blocked"
        value={chosen}
        onChange={(event) => setChosen(Number(event.currentTarget.value))}
      >
        {BLOCK_TIMES.map(([label], index) => (
          <option key={label} value={index}>
            {label}
          </option>
        ))}
      </select>
    </span>
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

function Detail({
  detail: { client, subscriptions, deliveries, will },
  rates,
}: {
  detail: ClientDetail;
  rates: MessageRates | undefined;
}) {
  return (
    <>
      <dl class="facts">
        {factsOf(client, rates).map(([name, value]) => (
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

function factsOf(client: ClientView, rates: MessageRates | undefined): [string, string][] {
  const { node, isConnected, since, user, address, listener, mqtt, expirySeconds } = client;
  const age = since === null ? '' : ` for ${formatDuration(nodeNow() - since)}`;
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
    ['Messages', rates === undefined ? '-' : wordsOfRates(rates)],
    ['Queue', `${formatCount(client.queued)} messages, ${formatCount(client.inflight)} in flight`],
  ];
}

function wordsOfRates({ receivedPerSecond, sentPerSecond }: MessageRates): string {
  return `${formatRate(receivedPerSecond)}/s from it, ${formatRate(sentPerSecond)}/s to it`;
}
