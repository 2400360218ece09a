// Retained messages by topic, in a tree of levels so that a Topic Filter finds its messages without
// looking at the others (MQTT 5.0 3.3.1.3). Bounded in number and bytes.

import { LevelMap } from './level-map.ts';
import { isExpired, type Message, messageBytes } from './message.ts';

interface RetainedNode {
  readonly parent: RetainedNode | undefined;
  readonly level: string;
  children: LevelMap<RetainedNode> | undefined;
  message: Message | undefined;
}

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

  /** Keeps the message in place of the topic's earlier one. False: no room, and nothing changed. */
  set(message: Message): boolean {
    const earlier = this.get(message.topic.name);
    const bytes = this.#bytes - (earlier ? messageBytes(earlier) : 0) + messageBytes(message);
    const count = this.#count + (earlier ? 0 : 1);
    if (bytes > this.#limits.retainedBytesMax || count > this.#limits.retainedMessagesMax) {
      return false;
    }
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
    node.message = message;
    this.#bytes = bytes;
    this.#count = count;
    return true;
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

  /** The messages that the filter matches and that have not expired. */
  *match(filter: string, now: number): Generator<Message> {
    const levels = filter.split('/');
    yield* this.#walk(this.#root, levels, 0, now);
  }

  /** Every message, expired ones included; the store may change meanwhile. */
  *all(): Generator<Message> {
    // Iterators, not lists: a walk that pauses goes on with what is there then.
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

  *#walk(
    node: RetainedNode,
    levels: readonly string[],
    depth: number,
    now: number,
  ): Generator<Message> {
    const level = levels[depth];
    if (level === undefined) {
      if (node.message !== undefined && !isExpired(node.message, now)) yield node.message;
      return;
    }
    if (level === '#') {
      if (node.message !== undefined && !isExpired(node.message, now)) yield node.message;
    } else if (level !== '+') {
      const child = node.children?.get(level);
      if (child !== undefined) yield* this.#walk(child, levels, depth + 1, now);
      return;
    }
    if (node.children === undefined) return;
    for (const [name, child] of node.children.entries()) {
      // [MQTT5-4.7.2-1]
      if (node === this.#root && name.startsWith('$')) continue;
      yield* this.#walk(child, levels, level === '#' ? depth : depth + 1, now);
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
    if (node.message !== undefined) {
      this.#count -= 1;
      this.#bytes -= messageBytes(node.message);
      node.message = undefined;
    }
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

function newNode(parent: RetainedNode | undefined, level: string): RetainedNode {
  return { parent, level, children: undefined, message: undefined };
}
