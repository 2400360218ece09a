// What the page knows of the site: the verdict, the nodes and the last ten minutes from the node that serves
// it, and what only each node itself can see.

import { useEffect, useMemo, useState } from 'preact/hooks';
import type { StrangerView } from '../http/discovery-view.ts';
import type { HistoryView, NodeView, Observations, VerdictView } from '../http/node-api.ts';
import { type ApiError, follow } from './api.ts';
import { batch } from './batch.ts';
import { joinHistory } from './history.ts';
import type { ObservationsByNode } from './observations.ts';

/** A node whose part of a stream has ended is followed again after this time. */
const FOLLOW_AGAIN_MS = 3_000;

export interface Site {
  /** Clock of the node, ms since 1970. */
  readonly now: number;
  readonly verdict: VerdictView;
  readonly nodes: readonly NodeView[];
  /** Boxes on the same network with another token or cluster name. */
  readonly strangers: readonly StrangerView[];
  /** Changes with each write of a retained value; 0 where nodes do not replicate them. */
  readonly retainedHash: number;
}

export interface SiteState {
  /** The last that arrived; undefined before the first. */
  readonly site: Site | undefined;
  readonly history: HistoryView;
  /** Why nothing arrives now. */
  readonly error: ApiError | undefined;
}

const NOTHING: SiteState = {
  site: undefined,
  history: { samples: [], marks: [] },
  error: undefined,
};

let aheadMs = 0;

/** The time of the node: the clock of a box may differ from that of the browser. */
export function nodeNow(): number {
  return Date.now() + aheadMs;
}

/** @param session another value opens the stream again, as after a token was entered */
export function useSite(session: number): SiteState {
  const [state, setState] = useState<SiteState>(NOTHING);
  useEffect(
    () =>
      follow(
        '/api/v1/site',
        {},
        {
          event: (name, data) => {
            if (name === 'site') takeSite(data as Site);
            if (name === 'history') takeHistory(data as HistoryView);
          },
          broken: (error) => setState((before) => ({ ...before, error })),
        },
      ),
    [session],
  );
  function takeSite(site: Site): void {
    aheadMs = site.now - Date.now();
    setState(({ history }) => ({ site, history, error: undefined }));
  }
  function takeHistory(part: HistoryView): void {
    setState((before) => ({ ...before, history: joinHistory(before.history, part) }));
  }
  return state;
}

/** @param nodes that are online; another list opens the stream again */
export function useObservations(session: number, nodes: readonly string[]): ObservationsByNode {
  const [known, setKnown] = useState<ObservationsByNode>(new Map());
  const attempt = useFollowEach(
    '/api/v1/observations',
    {},
    [session, ...nodes],
    (name, items: readonly Observations[]) => {
      if (name !== 'observed') return;
      setKnown((before) => new Map([...before, ...items.map((one) => [one.node, one] as const)]));
    },
  );
  return useMemo(
    () => new Map([...known].filter(([name]) => nodes.includes(name))),
    [known, attempt, nodes.join('\n')],
  );
}

/**
 * Follows a stream of all nodes, and opens it again when the part of one has ended, or `inputs` change.
 * @param take gets the events of a moment, all of one name
 */
export function useFollowEach<T>(
  path: string,
  query: Readonly<Record<string, string | number>>,
  inputs: readonly (string | number)[],
  take: (name: string, items: readonly T[]) => void,
  broken?: (error: ApiError) => void,
): number {
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    let again: ReturnType<typeof setTimeout> | undefined;
    const gathered = batch<{ name: string; data: T }>((items) => {
      for (const name of new Set(items.map((item) => item.name))) {
        take(
          name,
          items.filter((item) => item.name === name).map(({ data }) => data),
        );
      }
    });
    const end = follow(path, query, {
      event: (name, data) => {
        if (name === 'end') {
          again ??= setTimeout(() => setAttempt((count) => count + 1), FOLLOW_AGAIN_MS);
        } else {
          gathered.add({ name, data: data as T });
        }
      },
      broken: (error) => broken?.(error),
    });
    return () => {
      clearTimeout(again);
      gathered.end();
      end();
    };
  }, [attempt, path, ...inputs]);
  return attempt;
}
