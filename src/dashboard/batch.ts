// Gathers what a stream brings in a moment, so that a thousand events draw the page once.

const MOMENT_MS = 150;

export interface Batch<T> {
  add(item: T): void;
  /** Drops what is gathered. */
  end(): void;
}

/** @param take gets the items of each moment, in their order */
export function batch<T>(take: (items: readonly T[]) => void): Batch<T> {
  let items: T[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    add(item) {
      items.push(item);
      timer ??= setTimeout(() => {
        const taken = items;
        items = [];
        timer = undefined;
        take(taken);
      }, MOMENT_MS);
    },
    end() {
      clearTimeout(timer);
    },
  };
}
