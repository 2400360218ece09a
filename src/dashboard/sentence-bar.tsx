// The first line of the page: whether the site is well, and if not, what is wrong and what mends it.

import { useState } from 'preact/hooks';
import type { FaultView } from '../http/node-api.ts';
import type { ApiError } from './api.ts';
import { CopyButton } from './copy-button.tsx';
import type { Site } from './site.ts';

const SHOWN_MAX = 20;

export function SentenceBar({
  site,
  error,
}: {
  site: Site | undefined;
  error: ApiError | undefined;
}) {
  const [isOpen, setOpen] = useState(false);
  const { level, sentence, faults } = site?.verdict ?? { level: 'none', sentence: '', faults: [] };
  const text = error?.message ?? (site === undefined ? 'The node is asked ...' : sentence);
  return (
    <header class={`sentence ${error === undefined ? level : 'broken'}`}>
      <div role="status">
        <h1>{text}</h1>
      </div>
      {error === undefined && faults.length > 0 && (
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? 'Close' : 'Mend it'}
        </button>
      )}
      {isOpen && <Cures faults={faults} />}
    </header>
  );
}

function Cures({ faults }: { faults: readonly FaultView[] }) {
  return (
    <ol class="cures">
      {faults.slice(0, SHOWN_MAX).map(({ code, text, cure }) => (
        <li key={`${code} ${text}`}>
          <p>{text}.</p>
          <p class="cure">
            <code>{cure}</code>
            <CopyButton text={cure} />
          </p>
        </li>
      ))}
    </ol>
  );
}
