// The frame of the page: sentence bar, tabs, and the view that is chosen. On a wide screen the nodes stay
// beside the chosen view.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { AddBox } from './add-box.tsx';
import { hasToken } from './api.ts';
import { siteFaults } from './attention.ts';
import { Attention } from './attention-list.tsx';
import { BridgeList } from './bridge-list.tsx';
import { Console } from './console.tsx';
import { Devices } from './devices.tsx';
import { KeyHelp } from './key-help.tsx';
import { Log } from './log.tsx';
import { NodeList } from './node-list.tsx';
import { isOnline } from './node-state.ts';
import { Pulse } from './pulse.tsx';
import { SentenceBar } from './sentence-bar.tsx';
import { useObservations, useSite } from './site.ts';
import { SiteView } from './site-view.tsx';
import { TokenForm } from './token-form.tsx';
import { Topics } from './topics.tsx';

const VIEWS = ['site', 'devices', 'topics', 'console', 'log'] as const;
type View = (typeof VIEWS)[number];

const TITLES: Readonly<Record<View, string>> = {
  site: 'Site',
  devices: 'Devices',
  topics: 'Topics',
  console: 'Console',
  log: 'Log',
};

/** The address keeps the view, so that going back and a link lead to it. */
function viewOfAddress(): View {
  const name = location.hash.slice(1).split('/', 1)[0];
  return VIEWS.find((view) => view === name) ?? 'site';
}

export function App() {
  const [session, setSession] = useState(0);
  const [view, setView] = useState<View>(viewOfAddress);
  const { site, history, error } = useSite(session);
  const nodes = useMemo(
    () => [...(site?.nodes ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1)),
    [site],
  );
  const online = nodes.filter(isOnline).map(({ name }) => name);
  const observations = useObservations(session, online);
  useEffect(() => {
    const follow = (): void => setView(viewOfAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const self = nodes.find(({ isSelf }) => isSelf)?.name ?? '';
  const faults = site && siteFaults(site.verdict, self, observations);
  const isWell = error === undefined && faults?.level !== 'fault';
  useEffect(() => {
    document.title = isWell ? 'Shoal' : `(!) Shoal`;
  }, [isWell]);
  const needsToken = error?.needsToken === true;
  return (
    <>
      <SentenceBar faults={faults} error={error} />
      {needsToken ? (
        <TokenForm hadToken={hasToken()} entered={() => setSession(session + 1)} />
      ) : (
        <div class={`columns view-${view}`}>
          {view === 'site' && (
            <section class="picture" aria-label="Site">
              <SiteView nodes={nodes} observations={observations} />
              <Pulse history={history} />
            </section>
          )}
          <main key={`${view} ${session}`} aria-label={TITLES[view]}>
            {view === 'site' && (
              <Attention
                faults={faults}
                observations={observations}
                strangers={site?.strangers ?? []}
              />
            )}
            {view === 'site' && <Log nodes={online} isShort />}
            {view === 'devices' && <Devices nodes={nodes} />}
            {view === 'topics' && <Topics nodes={nodes} retainedHash={site?.retainedHash ?? 0} />}
            {view === 'console' && <Console nodes={nodes} />}
            {view === 'log' && <Log nodes={online} />}
          </main>
          <aside aria-label="Boxes">
            <h2>Boxes</h2>
            <NodeList nodes={nodes} />
            <AddBox nodes={nodes} />
            <BridgeList observations={observations} />
          </aside>
        </div>
      )}
      <nav aria-label="Views">
        <b class="brand">Shoal</b>
        {VIEWS.map((name) => (
          <a key={name} href={`#${name}`} aria-current={name === view ? 'page' : undefined}>
            {TITLES[name]}
          </a>
        ))}
      </nav>
      <KeyHelp views={VIEWS} />
    </>
  );
}
