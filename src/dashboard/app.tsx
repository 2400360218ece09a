// The frame of the page: sentence bar, tabs, and the view that is chosen. On a wide screen the site stays
// beside the chosen view.

import { useEffect, useState } from 'preact/hooks';
import { AddBox } from './add-box.tsx';
import { hasToken } from './api.ts';
import { Console } from './console.tsx';
import { Devices } from './devices.tsx';
import { KeyHelp } from './key-help.tsx';
import { Log } from './log.tsx';
import { Pulse } from './pulse.tsx';
import { SentenceBar } from './sentence-bar.tsx';
import { useSite } from './site.ts';
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
  const { site, error } = useSite(session);
  const needsToken = error?.needsToken === true;
  useEffect(() => {
    const follow = (): void => setView(viewOfAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const nodes = site?.nodes ?? [];
  return (
    <>
      <SentenceBar site={site} error={error} />
      {needsToken ? (
        <TokenForm hadToken={hasToken()} entered={() => setSession(session + 1)} />
      ) : (
        <div class={`columns view-${view}`}>
          <section class="site-column" aria-label="Site">
            <SiteView nodes={nodes} />
            <Pulse key={session} />
            <AddBox nodes={nodes} />
          </section>
          <main key={`${view} ${session}`} aria-label={TITLES[view]}>
            {view === 'devices' && <Devices nodes={nodes} />}
            {view === 'topics' && <Topics nodes={nodes} />}
            {view === 'console' && <Console nodes={nodes} />}
            {(view === 'log' || view === 'site') && <Log />}
          </main>
        </div>
      )}
      <nav aria-label="Views">
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
