// A button that copies a text and says so. The clipboard of a browser is open to secure pages only, which
// a box on http:// is not: there the text is selected, for the reader to copy.

import { useEffect, useRef, useState } from 'preact/hooks';

const SAID_MS = 2_000;

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [said, setSaid] = useState('');
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (said === '') return;
    const timer = setTimeout(() => setSaid(''), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      const code = button.current?.parentElement?.querySelector('code');
      if (code) getSelection()?.selectAllChildren(code);
      setSaid('Selected');
    }
  }
  return (
    <button type="button" class="copy" ref={button} onClick={() => void copy()}>
      <span aria-live="polite">{said === '' ? label : said}</span>
    </button>
  );
}
