// The first line of the page: whether the site is well, and if not, what is wrong and what mends it.

import { useRef, useState } from 'preact/hooks';
import type { FaultView } from '../http/node-api.ts';
import type { ApiError } from './api.ts';
import { type SiteFaults, withoutFigures } from './attention.ts';
import { CopyButton } from './copy-button.tsx';

const SHOWN_MAX = 20;

interface SentenceBarProps {
  /** Undefined until the node has answered. */
  readonly faults: SiteFaults | undefined;
  readonly error: ApiError | undefined;
}

export function SentenceBar({ faults: known, error }: SentenceBarProps) {
  const [isOpen, setOpen] = useState(false);
  const { level, sentence, faults } = known ?? {
    level: 'none',
    sentence: 'Asking the node ...',
    faults: [],
  };
  const text = error?.message ?? sentence;
  const heard = useRef('');
  if (withoutFigures(heard.current) !== withoutFigures(text)) heard.current = text;
  return (
    <header class={`sentence ${error === undefined ? level : 'broken'}`}>
      <h1>{text}</h1>
      {/* A screen reader hears what changes, and not each second that passes. */}
      <p class="heard" role="status">
        {heard.current}
      </p>
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
      {faults.slice(0, SHOWN_MAX).map((fault) => (
        <li key={`${fault.code} ${withoutFigures(fault.text)}`}>
          <p>{fault.text}.</p>
          <Cure text={fault.cure} />
        </li>
      ))}
    </ol>
  );
}

/** What to type or do, with a button that copies it unless it is hidden. */
export function Cure({ text, isHidden = false }: { text: string; isHidden?: boolean }) {
  return (
    <p class="cure">
      <code>{text}</code>
      {!isHidden && <CopyButton text={text} />}
    </p>
  );
}
