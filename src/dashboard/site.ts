// What the page knows of the site: the verdict and the nodes, as the node sends them each second.

import { useEffect, useState } from 'preact/hooks';
import type { NodeView, VerdictView } from '../http/node-api.ts';
import { type ApiError, follow } from './api.ts';

export interface Site {
  readonly verdict: VerdictView;
  readonly nodes: readonly NodeView[];
}

export interface SiteState {
  /** The last that arrived; undefined before the first. */
  readonly site: Site | undefined;
  /** Why nothing arrives now. */
  readonly error: ApiError | undefined;
}

/** @param session another value opens the stream again, as after a token was entered */
export function useSite(session: number): SiteState {
  const [state, setState] = useState<SiteState>({ site: undefined, error: undefined });
  useEffect(
    () =>
      follow(
        '/api/v1/site',
        {},
        {
          event: (name, data) => {
            if (name === 'site') setState({ site: data as Site, error: undefined });
          },
          broken: (error) => setState(({ site }) => ({ site, error })),
        },
      ),
    [session],
  );
  return state;
}
