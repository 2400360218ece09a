// Counts the shapes of all subscribed filters: which levels are wildcards, which are spelled out, and
// the name of the group. A topic matches at most one node of each shape, because its own levels fill
// in the spelled-out ones. So the number of shapes bounds what finding and serving the subscribers of
// one message costs, in addition to its deliveries. Plain shapes, without wildcard and group, are not
// counted: a topic matches one for each of its levels, however many there are.
// Invariant: a shape exists exactly while a node or group of the subscription tree uses it.

import { textBytes } from '../../shared/text-bytes.ts';
import { type Accounts, type ClientAccount, isOverShare, NAMELESS_SHARE } from '../accounts.ts';
import { GROUP_BYTES, SHAPE_BYTES } from '../memory-costs.ts';
import { LevelMap } from './level-map.ts';

/** Real filters have some dozens of shapes. At this bound a search for a route takes milliseconds. */
export const SHAPES_MAX = 10_000;
/** Of one client. */
export const CLIENT_SHAPES_MAX = 250;
const PLAIN = '-';

export interface Shape {
  readonly parent: Shape | undefined;
  readonly key: string;
  /** Who pays for it; undefined for a plain shape. */
  readonly payer: ClientAccount | undefined;
  children: LevelMap<Shape> | undefined;
  uses: number;
}

/** A level's part of the shape: `+`, `#`, or `-` for a level that is spelled out. */
export function levelKey(level: string): string {
  return level === '+' || level === '#' ? level : PLAIN;
}

export function groupKey(group: string): string {
  return `$${group}`;
}

export class FilterShapes {
  readonly root: Shape = {
    parent: undefined,
    key: '',
    payer: undefined,
    children: undefined,
    uses: 1,
  };
  readonly #accounts: Accounts;
  #size = 0;

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** Plain shapes excluded. */
  get size(): number {
    return this.#size;
  }

  /** The shape one level below `parent`, with one more use. @param account pays for a new shape */
  use(parent: Shape, key: string, account: ClientAccount): Shape {
    parent.children ??= new LevelMap();
    let shape = parent.children.get(key);
    if (shape === undefined) {
      const isPlain = key === PLAIN && parent.payer === undefined;
      const payer = isPlain ? undefined : account;
      shape = { parent, key, payer, children: undefined, uses: 0 };
      parent.children.set(key, shape);
      if (payer !== undefined) this.#charge(payer, key, 1);
    }
    shape.uses += 1;
    return shape;
  }

  release(shape: Shape | undefined): void {
    if (shape === undefined) return;
    shape.uses -= 1;
    if (shape.uses > 0) return;
    shape.parent?.children?.delete(shape.key);
    if (shape.payer !== undefined) this.#charge(shape.payer, shape.key, -1);
  }

  #charge(payer: ClientAccount, key: string, shapes: 1 | -1): void {
    this.#size += shapes;
    this.#accounts.charge(payer, shapes * costOf(key));
    payer.shapes += shapes;
    const { user } = payer;
    user.shapes += shapes;
    if (user.group !== undefined) user.group.shapes += shapes;
  }

  /** The bound of all clients that the filter would exceed, in words; undefined if there is room for it. */
  boundFor(
    levels: readonly string[],
    group: string | undefined,
    account: ClientAccount,
  ): string | undefined {
    const added = this.#countNew(levels, group);
    if (added === 0) return undefined;
    if (this.#size + added > SHAPES_MAX) return `${SHAPES_MAX} shapes of filters on this node`;
    const isOver = isOverShare(account.user.shapes, this.#size, SHAPES_MAX);
    if (isOver) return "the user's share of the shapes of filters";
    const own = this.#accounts.nameless.shapes;
    return this.#accounts.isOverNamelessShare(account.user, own, this.#size, SHAPES_MAX)
      ? `shapes of filters ${NAMELESS_SHARE}`
      : undefined;
  }

  /** As boundFor(), the bound of one client. */
  clientBoundFor(
    levels: readonly string[],
    group: string | undefined,
    account: ClientAccount,
  ): string | undefined {
    const added = this.#countNew(levels, group);
    const isOver = added > 0 && account.shapes + added > CLIENT_SHAPES_MAX;
    return isOver ? `${CLIENT_SHAPES_MAX} shapes of filters of one client` : undefined;
  }

  #countNew(levels: readonly string[], group: string | undefined): number {
    let shape: Shape | undefined = this.root;
    let isPlain = true;
    let added = 0;
    for (const level of levels) {
      const key = levelKey(level);
      isPlain &&= key === PLAIN;
      shape = shape?.children?.get(key);
      if (shape === undefined && !isPlain) added += 1;
    }
    const hasGroup = group === undefined || shape?.children?.get(groupKey(group)) !== undefined;
    return hasGroup ? added : added + 1;
  }
}

/** Memory of a shape, or of a shared group with its name. */
function costOf(key: string): number {
  return key.startsWith('$') ? GROUP_BYTES + textBytes(key) : SHAPE_BYTES;
}
