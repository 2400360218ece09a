// One topic of the tree: the value that each node holds, with its version, and what a person can do about it.

import { useEffect, useState } from 'preact/hooks';
import type { RetainedView, TopicView } from '../http/node-api.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  listOfWords,
} from '../shared/units.ts';
import { ApiError, call } from './api.ts';
import { CopyButton } from './copy-button.tsx';
import { nodeNow } from './site.ts';

/** Groups of nodes whose value is fetched; each costs a request. */
const VARIANTS_SHOWN = 8;
const FORMS = ['text', 'JSON', 'hex'] as const;
type Form = (typeof FORMS)[number];

interface DetailProps {
  readonly topic: TopicView;
  /** Another value means that a retained message was written. */
  readonly change: string;
  readonly close: () => void;
}

interface Held {
  readonly nodes: readonly string[];
  /** Undefined where these nodes hold none. */
  readonly value: RetainedView | undefined;
}

export function TopicDetail({ topic: { topic, values }, change, close }: DetailProps) {
  const [held, setHeld] = useState<readonly Held[]>([]);
  const [form, setForm] = useState<Form>('text');
  const [note, setNote] = useState('');
  async function read(signal: AbortSignal): Promise<void> {
    try {
      setHeld(await valuesOf(topic, signal));
    } catch (error) {
      if (!signal.aborted) setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  useEffect(() => {
    const ending = new AbortController();
    void read(ending.signal);
    return () => ending.abort();
  }, [topic, change]);
  async function clear(filter: string): Promise<void> {
    try {
      const done = await call<{ cleared: number; left: number }>('DELETE', '/api/v1/retained', {
        query: { filter },
      });
      setNote(`${formatNumber(done.cleared, 'value')} cleared, ${formatCount(done.left)} left.`);
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  const count = held.reduce((sum, { nodes }) => sum + nodes.length, 0);
  const isSame = held.length === 1;
  const hasValue = held.some(({ value }) => value !== undefined);
  return (
    <article class="value" aria-label={`Topic ${topic}`}>
      <h3>{topic}</h3>
      <p role="status" class={isSame || held.length === 0 ? 'same' : 'differs'}>
        {held.length === 0
          ? 'The nodes are asked ...'
          : !hasValue
            ? `No value of its own; ${formatNumber(values, 'value')} below.`
            : isSame
              ? `✓ ${count === 1 ? 'One node holds' : `All ${count} nodes hold`} this value.`
              : `≠ The nodes hold ${held.length} different values.`}
      </p>
      {(hasValue ? held : []).map((one) => (
        <HeldValue key={one.value?.version ?? one.nodes.join()} held={one} form={form} />
      ))}
      <p class="actions">
        <label class="inline">
          Show as
          <select value={form} onChange={(event) => setForm(event.currentTarget.value as Form)}>
            {FORMS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <a class="button" href={`#console/${encodeURIComponent(topic)}`}>
          Publish
        </a>
        <ConfirmButton
          label="Clear"
          question="Clear it on all nodes"
          act={() => void clear(topic)}
        />
        {values > 1 && (
          <ConfirmButton
            label="Clear all below"
            question={`Clear ${formatNumber(values, 'value')} on all nodes`}
            act={() => void clear(`${topic}/#`)}
          />
        )}
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
      <p role="status">{note}</p>
    </article>
  );
}

function HeldValue({ held: { nodes, value }, form }: { held: Held; form: Form }) {
  const where = nodes.length > 6 ? `${nodes.length} nodes` : listOfWords(nodes);
  if (value === undefined) {
    return (
      <p>
        <b>{where}</b>: no value
      </p>
    );
  }
  const { qos, bytes, version, expiresIn } = value;
  const shown = payloadAs(value, form);
  return (
    <section class="held" aria-label={`Value on ${where}`}>
      <p>
        <b>{where}</b>: QoS {qos}, {formatBytes(bytes)}
        {version !== null && `, version ${versionWords(version)}`}
        {expiresIn !== null && `, expires in ${formatDuration(expiresIn * 1000)}`}
      </p>
      <pre>
        <code>{shown}</code>
      </pre>
      <CopyButton text={shown} label="Copy value" />
    </section>
  );
}

/** What is lost does not come back, so the button asks once more. */
function ConfirmButton(props: { label: string; question: string; act: () => void }) {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    return (
      <button type="button" onClick={() => setAsking(true)}>
        {props.label}
      </button>
    );
  }
  return (
    <button
      type="button"
      class="danger"
      onBlur={() => setAsking(false)}
      onClick={() => {
        setAsking(false);
        props.act();
      }}
    >
      {props.question}
    </button>
  );
}

/** The value of each group of nodes that hold the same one. */
async function valuesOf(topic: string, signal: AbortSignal): Promise<Held[]> {
  const end = topic.lastIndexOf('/') + 1;
  const level = await call<{ items: TopicView[] }>('GET', '/api/v1/topics', {
    query: { below: topic.slice(0, end), name: topic.slice(end) },
    signal,
  });
  const groups = new Map<string, string[]>();
  const item = level.items.find(({ name }) => name === topic.slice(end));
  for (const { nodes, version, values } of item?.variants ?? []) {
    const key = version ?? (values === 0 ? 'none' : `none ${nodes.join()}`);
    groups.set(key, [...(groups.get(key) ?? []), ...nodes]);
  }
  return Promise.all(
    [...groups.values()].slice(0, VARIANTS_SHOWN).map(async (nodes) => {
      const { items } = await call<{ items: RetainedView[] }>('GET', '/api/v1/retained', {
        query: { filter: topic, node: nodes[0], limit: 1 },
        signal,
      });
      return { nodes: nodes.sort(), value: items[0] };
    }),
  );
}

function payloadAs({ text, base64, bytes }: RetainedView, form: Form): string {
  if (text === null && base64 === null) return `${formatBytes(bytes)}: too large to show`;
  if (form === 'hex') return hexOf(text, base64);
  if (text === null) return `base64 ${base64}`;
  if (form === 'text') return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return `no JSON: ${text}`;
  }
}

function hexOf(text: string | null, base64: string | null): string {
  const bytes =
    text === null
      ? Uint8Array.from(atob(base64 ?? ''), (character) => character.charCodeAt(0))
      : new TextEncoder().encode(text);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** A version is the time of its write and the number of its writer. */
function versionWords(version: string): string {
  const [time = '', writer = ''] = version.split('.');
  return `${formatDuration(nodeNow() - Number(time))} old, of writer ${writer.slice(0, 6)}`;
}
