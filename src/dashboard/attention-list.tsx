// What wants attention: the faults of the site with their cures, slow subscribers and bans. Empty is the normal
// state, and says so.

import { useState } from 'preact/hooks';
import type { StrangerView } from '../http/discovery-view.ts';
import type { BanView } from '../http/node-api.ts';
import { ApiError, call } from './api.ts';
import { type Notice, noticesOf, type SiteFaults, withoutFigures } from './attention.ts';
import type { ObservationsByNode } from './observations.ts';
import { Cure } from './sentence-bar.tsx';
import { nodeNow } from './site.ts';

const SHOWN_MAX = 30;

interface AttentionProps {
  readonly faults: SiteFaults | undefined;
  readonly observations: ObservationsByNode;
  readonly strangers: readonly StrangerView[];
}

export function Attention({ faults, observations, strangers }: AttentionProps) {
  const found = faults?.faults ?? [];
  const notices = noticesOf(observations, nodeNow());
  const isEmpty = found.length + notices.length + strangers.length === 0;
  return (
    <section class="attention" aria-label="Wants attention">
      <h2>Wants attention</h2>
      {isEmpty && <p class="empty">Nothing. This is the normal state.</p>}
      <ul class="plain">
        {found.slice(0, SHOWN_MAX).map(({ code, severity, text, cure }) => (
          <li key={`${code} ${withoutFigures(text)}`} class={`card ${severity}`}>
            <p>
              <b>{severity === 'fault' ? 'Fault' : 'Warning'}</b> {text}.
            </p>
            <Cure text={cure} />
          </li>
        ))}
        {strangers.slice(0, SHOWN_MAX).map(({ address }) => (
          <li key={address} class="card note">
            <p>
              <b>New</b> A box at {address} has another token or cluster name. If it is yours, add
              it: it needs an invitation.
            </p>
          </li>
        ))}
        {notices.slice(0, SHOWN_MAX).map((notice) => (
          <NoticeRow key={withoutFigures(notice.text)} notice={notice} />
        ))}
      </ul>
    </section>
  );
}

function NoticeRow({ notice: { kind, text, client, ban } }: { notice: Notice }) {
  return (
    <li class="card note">
      <p>
        <b>{kind === 'slow' ? 'Slow' : 'Banned'}</b> {text}.
      </p>
      {client !== undefined && <a href={`#devices/${encodeURIComponent(client)}`}>Open {client}</a>}
      {ban !== undefined && <LiftButton ban={ban} />}
    </li>
  );
}

function LiftButton({ ban }: { ban: BanView }) {
  const [note, setNote] = useState('');
  async function lift(): Promise<void> {
    const { address, client, user } = ban;
    try {
      const query = {
        address: address ?? undefined,
        client: client ?? undefined,
        user: user ?? undefined,
      };
      await call('DELETE', '/api/v1/bans', { query });
      setNote('The ban is lifted.');
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  return (
    <>
      <button type="button" onClick={() => void lift()}>
        Lift the ban
      </button>
      <span role="status">{note}</span>
    </>
  );
}
