// The topics of retained messages as a tree, so that a Topic Filter finds its messages without visiting
// all others (MQTT 5.0 3.3.1.3). A node stands for all levels up to the next branch or message: `a/b/c`
// alone is one node, however many levels it has.
// Invariant: each node but the root has a message, or two children or more. So there are at most twice
// as many nodes as messages, and a message can be charged for its nodes. The tree may change during a walk.

import { isReservedTopic } from '../../mqtt/topic.ts';
import { ownText } from '../../shared/own-text.ts';
import type { Deadline } from '../deadline-queue.ts';
import type { Message } from '../message/message.ts';
import { LevelMap } from '../routing/level-map.ts';
import type { KeptMessage } from './kept-message.ts';

const SLASH = 0x2f;

/** Topic levels that match() compares between two chances to pause. */
export const NODES_PER_STEP = 256;

export interface RetainedNode {
  parent: RetainedNode | undefined;
  /** Its own levels, joined by `/`. */
  label: string;
  /** Levels above its own. */
  depth: number;
  /** By the first level of their labels. */
  children: LevelMap<RetainedNode> | undefined;
  kept: KeptMessage | undefined;
  /** At which the message may have expired. */
  expiry: Deadline | undefined;
}

/** The Topic Name of a node. */
export function topicOf({ parent, label }: RetainedNode): string {
  let topic = label;
  for (let node = parent; node?.parent !== undefined; node = node.parent) {
    topic = `${node.label}/${topic}`;
  }
  return topic;
}

/** Nodes of one parent that a walk still has to visit. */
interface Step {
  readonly nodes: Iterator<RetainedNode>;
  /** The level of the filter that comes after the parent. */
  readonly depth: number;
}

export class RetainedTree {
  readonly #root = newNode(undefined, '', 0);

  find(topic: string): RetainedNode | undefined {
    let node = this.#root;
    for (let at = 0; at <= topic.length; at += node.label.length + 1) {
      const child = node.children?.get(levelAt(topic, at));
      if (child === undefined || sharedLength(topic, at, child.label) < child.label.length) {
        return undefined;
      }
      node = child;
    }
    return node;
  }

  /** The topic's node, which is made if it does not exist. The caller gives it a message. */
  reach(topic: string): RetainedNode {
    let node = this.#root;
    for (let at = 0; at <= topic.length; at += node.label.length + 1) {
      const child = node.children?.get(levelAt(topic, at));
      if (child === undefined) return addChild(node, topic.slice(at));
      const shared = sharedLength(topic, at, child.label);
      node = shared < child.label.length ? split(child, shared) : child;
    }
    return node;
  }

  /** Removes what the tree does not need any more after the node has lost its message. */
  prune(node: RetainedNode): void {
    if (node.kept !== undefined || node.parent === undefined) return;
    const { parent } = node;
    const children = node.children?.size ?? 0;
    if (children > 1) return;
    if (children === 1) {
      mergeWithChild(node);
      return;
    }
    parent.children?.delete(firstLevel(node.label));
    if (parent.children?.size === 1 && parent.kept === undefined) mergeWithChild(parent);
  }

  /**
   * The messages that match the filter and have not expired. Yields `undefined` after every
   * NODES_PER_STEP levels, so that the caller can pause a walk that finds nothing for long.
   */
  *match(filter: string, now: number): Generator<Message | undefined> {
    const levels = filter.split('/');
    const isWildFirst = levels[0] === '+' || levels[0] === '#';
    const walk: Step[] = [{ nodes: below(this.#root, levels, 0), depth: 0 }];
    let compared = 0;
    for (let step = walk.at(-1); step !== undefined; step = walk.at(-1)) {
      if (compared >= NODES_PER_STEP) {
        compared -= NODES_PER_STEP;
        yield undefined;
      }
      const { value: node, done } = step.nodes.next();
      compared += 1;
      if (done) {
        walk.pop();
        continue;
      }
      // [MQTT5-4.7.2-1]
      if (isWildFirst && node.depth === 0 && isReservedTopic(node.label)) continue;
      const depth = depthAfter(node, levels, step.depth);
      if (depth === undefined) continue;
      compared += Math.max(0, depth - step.depth - 1);
      walk.push({ nodes: below(node, levels, depth), depth });
      const isMatch = depth === levels.length || levels[depth] === '#';
      const { kept } = node;
      if (isMatch && kept !== undefined && kept.expiresAt > now) {
        yield kept.toMessage(topicOf(node));
      }
    }
  }

  /** All messages, expired ones included. */
  *all(): Generator<Message> {
    // Iterators, not lists: after a pause the walk continues with the children of that moment.
    const walk: Iterator<RetainedNode>[] = [[this.#root].values()];
    for (let nodes = walk.at(-1); nodes !== undefined; nodes = walk.at(-1)) {
      const { value: node, done } = nodes.next();
      if (done) {
        walk.pop();
        continue;
      }
      if (node.children !== undefined) walk.push(node.children.values());
      if (node.kept !== undefined) yield node.kept.toMessage(topicOf(node));
    }
  }
}

function newNode(parent: RetainedNode | undefined, label: string, depth: number): RetainedNode {
  return { parent, label, depth, children: undefined, kept: undefined, expiry: undefined };
}

function addChild(parent: RetainedNode, label: string): RetainedNode {
  const depth = parent.depth + (parent.parent === undefined ? 0 : levelCount(parent.label));
  const child = newNode(parent, ownText(label), depth);
  attach(child);
  return child;
}

/** Puts the node among its parent's children, in place of one that begins with the same level. */
function attach(node: RetainedNode): void {
  const parent = node.parent!;
  parent.children ??= new LevelMap();
  const level = firstLevel(node.label);
  parent.children.set(level === node.label ? level : ownText(level), node);
}

/** @returns a new parent of the node, with the first `length` characters of its label */
function split(node: RetainedNode, length: number): RetainedNode {
  const upper = newNode(node.parent, ownText(node.label.slice(0, length)), node.depth);
  attach(upper);
  node.label = ownText(node.label.slice(length + 1));
  node.depth += levelCount(upper.label);
  node.parent = upper;
  attach(node);
  return upper;
}

/** The only child takes the node's place. */
function mergeWithChild(node: RetainedNode): void {
  if (node.parent === undefined) return;
  const child: RetainedNode = node.children!.values().next().value!;
  child.label = ownText(`${node.label}/${child.label}`);
  child.depth = node.depth;
  child.parent = node.parent;
  attach(child);
}

/** The nodes below this one that the filter can match. @param depth the filter's level after the node */
function below(
  { children }: RetainedNode,
  levels: readonly string[],
  depth: number,
): Iterator<RetainedNode> {
  const level = levels[depth];
  if (children === undefined || level === undefined) return [].values();
  if (level === '#' || level === '+') return children.values();
  const child = children.get(level);
  return (child === undefined ? [] : [child]).values();
}

/**
 * The filter's level that comes after the node's own, or that of its `#`; undefined if the node and all
 * below it do not match.
 * @param depth the filter's level after the node's parent, which may be one of the node's own by now
 */
function depthAfter(
  { label, depth: start }: RetainedNode,
  levels: readonly string[],
  depth: number,
): number | undefined {
  if (levels[depth] === '#') return depth;
  const own = label.split('/');
  for (let at = depth; at < start + own.length; at++) {
    const level = levels[at];
    if (level === '#') return at;
    if (level === undefined || (level !== '+' && level !== own[at - start])) return undefined;
  }
  return start + own.length;
}

function levelAt(topic: string, at: number): string {
  const end = topic.indexOf('/', at);
  return end === -1 ? topic.slice(at) : topic.slice(at, end);
}

function firstLevel(label: string): string {
  return levelAt(label, 0);
}

function levelCount(label: string): number {
  let levels = 1;
  for (let i = label.indexOf('/'); i !== -1; i = label.indexOf('/', i + 1)) levels += 1;
  return levels;
}

/** Characters of the levels that the label has in common with the topic from `at` on. */
function sharedLength(topic: string, at: number, label: string): number {
  if (topic.startsWith(label, at) && isEnd(topic, at + label.length)) return label.length;
  let shared = 0;
  for (let i = 0; ; i++) {
    const isBoundary = isEnd(topic, at + i) && isEnd(label, i);
    if (isBoundary) shared = i;
    if (i >= label.length || label.charCodeAt(i) !== topic.charCodeAt(at + i)) return shared;
  }
}

/** A level ends before this position. */
function isEnd(text: string, at: number): boolean {
  return at === text.length || text.charCodeAt(at) === SLASH;
}
