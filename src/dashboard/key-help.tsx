// The keys of the page, and a dialogue that lists them.

import { useEffect, useRef } from 'preact/hooks';

export function KeyHelp({ views }: { views: readonly string[] }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    function press(event: KeyboardEvent): void {
      const { key, ctrlKey, metaKey, altKey, target } = event;
      if (ctrlKey || metaKey || altKey || isTyping(target)) return;
      const view = views[Number(key) - 1];
      if (key === '?') dialog.current?.showModal();
      else if (key === '/') focusSearch(event);
      else if (view !== undefined) location.hash = view;
    }
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [views]);
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        <dt>/</dt>
        <dd>search</dd>
        {views.map((view, index) => (
          <>
            <dt key={`key ${view}`}>{index + 1}</dt>
            <dd key={view}>{view}</dd>
          </>
        ))}
        <dt>?</dt>
        <dd>this list</dd>
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>('input[type=search]');
  if (field === null) {
    location.hash = 'devices';
    return;
  }
  event.preventDefault();
  field.focus();
  field.select();
}
