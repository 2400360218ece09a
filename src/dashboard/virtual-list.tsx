// A list of rows of one height, of which only those in view exist, so that 10,000 rows scroll smoothly.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** Rows above and below the view, so that scrolling shows no gap. */
const SPARE_ROWS = 8;
/** Further rows are read when this few are left below the view. */
const ROWS_AHEAD = 80;

interface VirtualListProps<T> {
  readonly items: readonly T[];
  /** Pixels. */
  readonly rowHeight: number;
  readonly label: string;
  readonly keyOf: (item: T) => string;
  readonly row: (item: T) => ComponentChildren;
  /** The reader has scrolled to the last rows. */
  readonly atEnd?: () => void;
}

export function VirtualList<T>({
  items,
  rowHeight,
  label,
  keyOf,
  row,
  atEnd,
}: VirtualListProps<T>) {
  const box = useRef<HTMLElement>(null);
  const [range, setRange] = useState({ first: 0, count: 40 });
  function measure(): void {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    const first = Math.max(0, Math.floor(scrollTop / rowHeight) - SPARE_ROWS);
    const count = Math.ceil(clientHeight / rowHeight) + 2 * SPARE_ROWS;
    setRange((before) =>
      before.first === first && before.count === count ? before : { first, count },
    );
    if (first + count + ROWS_AHEAD >= items.length) atEnd?.();
  }
  useEffect(measure, [items.length]);
  useEffect(() => {
    addEventListener('resize', measure);
    return () => removeEventListener('resize', measure);
  });
  const { first, count } = range;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by the keyboard
    <section class="virtual" ref={box} onScroll={measure} aria-label={label} tabIndex={0}>
      <ul style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, first + count).map((item, index) => (
          <li
            key={keyOf(item)}
            style={{ top: `${(first + index) * rowHeight}px`, height: `${rowHeight}px` }}
            aria-setsize={items.length}
            aria-posinset={first + index + 1}
          >
            {row(item)}
          </li>
        ))}
      </ul>
    </section>
  );
}
