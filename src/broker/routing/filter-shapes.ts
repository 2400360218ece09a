// Counts the shapes of all subscribed filters: which levels are wildcards, which are spelled out, and
// the name of the group. A topic matches at most one node of each shape, because its own levels fill
// in the spelled-out ones. So the number of shapes bounds what finding and serving the subscribers of
// one message costs, in addition to its deliveries. Plain shapes, without wildcard and group, are not
// counted: a topic matches one for each of its levels, however many there are.
// A group has a lower bound of its own: each one is another delivery of every message that it matches,
// while a client's other overlapping filters share one copy.
// Invariant: a shape exists exactly while a node or group of the subscription tree uses it.

import { textBytes } from '../../shared/text-bytes.ts';
import {
  type Accounts,
  type ClientAccount,
  isOverShare,
  NAMELESS_SHARE,
  type UserAccount,
} from '../accounts.ts';
import { GROUP_BYTES, SHAPE_BYTES } from '../memory-costs.ts';
import { LevelMap } from './level-map.ts';

/** Real filters have some dozens of shapes. At this bound a search for a route takes milliseconds. */
export const SHAPES_MAX = 10_000;
/** Of one client. */
export const CLIENT_SHAPES_MAX = 250;
/**
 * Names of groups, counted once for each shape of their filters. Sites have a group for each service. At
 * this bound they cost a message that all of them match less than 0.1 ms.
 */
export const GROUPS_MAX = 500;
/** Of one client. */
export const CLIENT_GROUPS_MAX = 50;
const PLAIN = '-';

export interface Shape {
  readonly parent: Shape | undefined;
  readonly key: string;
  /** Who pays for it; undefined for a plain shape. */
  readonly payer: ClientAccount | undefined;
  children: LevelMap<Shape> | undefined;
  uses: number;
}

/** What a filter adds to the shapes. */
interface Addition {
  readonly shapes: number;
  /** Those of the shapes that name a group. */
  readonly groups: number;
}

/** How much of a bound is in use: by all, by the user, and by all clients without a user name. */
interface Usage {
  readonly added: number;
  readonly used: number;
  readonly own: number;
  readonly nameless: number;
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
  #groups = 0;

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

  #charge(payer: ClientAccount, key: string, change: 1 | -1): void {
    const groups = isGroupKey(key) ? change : 0;
    this.#size += change;
    this.#groups += groups;
    this.#accounts.charge(payer, change * costOf(key));
    const { user } = payer;
    for (const account of [payer, user, user.group]) {
      if (account === undefined) continue;
      account.shapes += change;
      account.sharedGroups += groups;
    }
  }

  /** The bound of all clients that the filter would exceed, in words; undefined if there is room for it. */
  boundFor(
    levels: readonly string[],
    group: string | undefined,
    { user }: ClientAccount,
  ): string | undefined {
    const { shapes, groups } = this.#additionOf(levels, group);
    if (shapes === 0) return undefined;
    const { nameless } = this.#accounts;
    return (
      this.#sharedBound(user, 'shapes of filters', SHAPES_MAX, {
        added: shapes,
        used: this.#size,
        own: user.shapes,
        nameless: nameless.shapes,
      }) ??
      this.#sharedBound(user, 'shared groups', GROUPS_MAX, {
        added: groups,
        used: this.#groups,
        own: user.sharedGroups,
        nameless: nameless.sharedGroups,
      })
    );
  }

  #sharedBound(
    user: UserAccount,
    what: string,
    max: number,
    { added, used, own, nameless }: Usage,
  ): string | undefined {
    if (added === 0) return undefined;
    if (used + added > max) return `${max} ${what} on this node`;
    if (isOverShare(own, used, max)) return `the user's share of the ${what}`;
    const isOver = this.#accounts.isOverNamelessShare(user, nameless, used, max);
    return isOver ? `${what} ${NAMELESS_SHARE}` : undefined;
  }

  /** As boundFor(), the bound of one client. */
  clientBoundFor(
    levels: readonly string[],
    group: string | undefined,
    account: ClientAccount,
  ): string | undefined {
    const { shapes, groups } = this.#additionOf(levels, group);
    if (shapes > 0 && account.shapes + shapes > CLIENT_SHAPES_MAX) {
      return `${CLIENT_SHAPES_MAX} shapes of filters of one client`;
    }
    const isOver = groups > 0 && account.sharedGroups + groups > CLIENT_GROUPS_MAX;
    return isOver ? `${CLIENT_GROUPS_MAX} shared groups of one client` : undefined;
  }

  #additionOf(levels: readonly string[], group: string | undefined): Addition {
    let shape: Shape | undefined = this.root;
    let isPlain = true;
    let shapes = 0;
    for (const level of levels) {
      const key = levelKey(level);
      isPlain &&= key === PLAIN;
      shape = shape?.children?.get(key);
      if (shape === undefined && !isPlain) shapes += 1;
    }
    const hasGroup = group === undefined || shape?.children?.get(groupKey(group)) !== undefined;
    const groups = hasGroup ? 0 : 1;
    return { shapes: shapes + groups, groups };
  }
}

function isGroupKey(key: string): boolean {
  return key.startsWith('$');
}

/** Memory of a shape, or of a shared group with its name. */
function costOf(key: string): number {
  return isGroupKey(key) ? GROUP_BYTES + textBytes(key) : SHAPE_BYTES;
}
