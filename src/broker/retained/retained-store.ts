// Retained messages in a tree of topic levels, so that a Topic Filter finds its messages without
// visiting all others (MQTT 5.0 3.3.1.3). Knows no subscriptions.
// Invariant: number and bytes of the messages stay within the limits.

import { isReservedTopic } from '../../mqtt/topic.ts';
import { isOverShare, type UserAccount } from '../accounts.ts';
import { isExpired, type Message, messageBytes } from '../message/message.ts';
import { LevelMap } from '../routing/level-map.ts';

interface RetainedNode {
  readonly parent: RetainedNode | undefined;
  readonly level: string;
  children: LevelMap<RetainedNode> | undefined;
  message: Message | undefined;
  /** The user that published it; undefined for a peer, the broker or the store. */
  payer: UserAccount | undefined;
}

/** Nodes of one parent that a walk still has to visit. */
interface Step {
  readonly nodes: Iterator<RetainedNode>;
  /** The level of the filter that they are compared with. */
  readonly depth: number;
  /** Reached by a wildcard, not by name. */
  readonly isWild: boolean;
}

/** Nodes that match() visits between two chances to pause. */
export const NODES_PER_STEP = 256;

export interface RetainedLimits {
  readonly retainedMessagesMax: number;
  readonly retainedBytesMax: number;
}

export class RetainedStore {
  readonly #limits: RetainedLimits;
  readonly #root: RetainedNode = newNode(undefined, '');
  #count = 0;
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Replaces the topic's message.
   * @param payer has a share of the limits; undefined for a message of a peer, the broker or the store
   * @returns the limit that is reached, and nothing has changed; undefined if the message is retained
   */
  set(message: Message, payer: UserAccount | undefined): string | undefined {
    const limit = this.#limitFor(message, payer);
    if (limit !== undefined) return limit;
    let node = this.#root;
    for (const level of message.topic.name.split('/')) {
      node.children ??= new LevelMap();
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode(node, level);
        node.children.set(level, child);
      }
      node = child;
    }
    this.#take(node);
    node.message = message;
    node.payer = payer;
    this.#charge(payer, 1, messageBytes(message));
    return undefined;
  }

  #limitFor(message: Message, payer: UserAccount | undefined): string | undefined {
    const { retainedMessagesMax, retainedBytesMax } = this.#limits;
    const earlier = this.get(message.topic.name);
    const bytes = this.#bytes - (earlier ? messageBytes(earlier) : 0) + messageBytes(message);
    if (bytes > retainedBytesMax) return '-retained-bytes';
    if (earlier !== undefined) return undefined;
    if (this.#count >= retainedMessagesMax) return '-retained-messages';
    if (payer === undefined) return undefined;
    if (isOverShare(payer.retainedBytes, this.#bytes, retainedBytesMax)) {
      return "-retained-bytes (the user's share)";
    }
    const isOver = isOverShare(payer.retainedMessages, this.#count, retainedMessagesMax);
    return isOver ? "-retained-messages (the user's share)" : undefined;
  }

  /** Removes the node's message, if it has one. */
  #take(node: RetainedNode): void {
    if (node.message === undefined) return;
    this.#charge(node.payer, -1, -messageBytes(node.message));
    node.message = undefined;
    node.payer = undefined;
  }

  #charge(payer: UserAccount | undefined, messages: 1 | -1, bytes: number): void {
    this.#count += messages;
    this.#bytes += bytes;
    if (payer === undefined) return;
    payer.retainedMessages += messages;
    payer.retainedBytes += bytes;
  }

  get(topic: string): Message | undefined {
    return this.#find(topic)?.message;
  }

  /** True if there was one. */
  remove(topic: string): boolean {
    const node = this.#find(topic);
    if (node?.message === undefined) return false;
    this.#clear(node);
    return true;
  }

  /**
   * The messages that match the filter and have not expired. Yields `undefined` after every
   * NODES_PER_STEP nodes, so that the caller can pause a walk that finds nothing for long.
   */
  *match(filter: string, now: number): Generator<Message | undefined> {
    const levels = filter.split('/');
    const walk: Step[] = [{ nodes: [this.#root].values(), depth: 0, isWild: false }];
    let visited = 0;
    for (let step = walk.at(-1); step !== undefined; step = walk.at(-1)) {
      const { value: node, done } = step.nodes.next();
      if (done) {
        walk.pop();
        continue;
      }
      visited += 1;
      if (visited % NODES_PER_STEP === 0) yield undefined;
      // [MQTT5-4.7.2-1]
      if (step.isWild && node.parent === this.#root && isReservedTopic(node.level)) continue;
      const level = levels[step.depth];
      const isMatch = level === undefined || level === '#';
      if (isMatch && node.message !== undefined && !isExpired(node.message, now)) {
        yield node.message;
      }
      const next = level === undefined ? undefined : below(node, level, step.depth);
      if (next !== undefined) walk.push(next);
    }
  }

  /** All messages, expired ones included; the store may change during the walk. */
  *all(): Generator<Message> {
    // Iterators, not lists: after a pause the walk continues with the children of that moment.
    const levels: Iterator<RetainedNode>[] = [[this.#root].values()];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const { value: node, done } = level.next();
      if (done) {
        levels.pop();
        continue;
      }
      if (node.message !== undefined) yield node.message;
      if (node.children !== undefined) levels.push(node.children.values());
    }
  }

  #find(topic: string): RetainedNode | undefined {
    let node: RetainedNode | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #clear(from: RetainedNode): void {
    let node = from;
    this.#take(node);
    while (
      node.message === undefined &&
      (node.children === undefined || node.children.size === 0) &&
      node.parent !== undefined
    ) {
      node.parent.children?.delete(node.level);
      node = node.parent;
    }
  }
}

/** The children of a node that a walk has to visit. */
function below({ children }: RetainedNode, level: string, depth: number): Step | undefined {
  if (children === undefined) return undefined;
  if (level === '#') return { nodes: children.values(), depth, isWild: true };
  if (level === '+') return { nodes: children.values(), depth: depth + 1, isWild: true };
  const child = children.get(level);
  return child && { nodes: [child].values(), depth: depth + 1, isWild: false };
}

function newNode(parent: RetainedNode | undefined, level: string): RetainedNode {
  return { parent, level, children: undefined, message: undefined, payer: undefined };
}
