// Passes on to the hooks what happens to clients and messages, after the event and in order. What the
// hooks themselves cause follows in the next turn of the event loop, so that a hook that publishes does
// not keep the loop to itself. Bounded: everything of one turn is passed on in that turn.

import type { Message } from '../broker/message/message.ts';
import type { ClientEvents, Identity } from '../broker/ports.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { isReservedTopic } from '../mqtt/topic.ts';
import type * as api from './api.ts';
import { HookGrant } from './hook-grant.ts';
import type { HookRunner } from './hook-runner.ts';
import { absentClient } from './hooked-authorizer.ts';
import { ProgramMessage } from './program-message.ts';

export class EventHooks implements ClientEvents {
  readonly published: ClientEvents['published'];
  readonly #hooks: api.Hooks;
  readonly #runner: HookRunner;
  #events: (() => void)[] = [];
  #isDraining = false;

  constructor(hooks: api.Hooks, runner: HookRunner) {
    this.#hooks = hooks;
    this.#runner = runner;
    this.published =
      hooks.published && ((message, publisher) => this.#published(message, publisher));
  }

  connected(identity: Identity): void {
    const client = clientOf(identity);
    client.id = identity.clientId;
    client.username = identity.username;
    this.#add('connected', () => this.#hooks.connected?.(client));
  }

  disconnected(identity: Identity, reason: string): void {
    const client = clientOf(identity);
    this.#add('disconnected', () => this.#hooks.disconnected?.(client, reason));
  }

  subscribed(identity: Identity, filter: string, qos: QoS): void {
    const client = clientOf(identity);
    this.#add('subscribed', () => this.#hooks.subscribed?.(client, { filter, qos }));
  }

  unsubscribed(identity: Identity, filter: string): void {
    const client = clientOf(identity);
    this.#add('unsubscribed', () => this.#hooks.unsubscribed?.(client, filter));
  }

  #published(message: Message, publisher: Identity | undefined): void {
    if (isReservedTopic(message.topic.name)) return;
    const client = publisher && clientOf(publisher);
    const shown = ProgramMessage.of(message, message.qos, message.retain);
    this.#add('published', () => this.#hooks.published?.(shown, client));
  }

  #add(name: keyof api.Hooks, call: () => unknown): void {
    if (this.#hooks[name] === undefined) return;
    if (this.#events.length === 0) this.#schedule();
    this.#events.push(() => this.#runner.notify(name, call));
  }

  #schedule(): void {
    if (this.#isDraining) setImmediate(() => this.#drain());
    else process.nextTick(() => this.#drain());
  }

  #drain(): void {
    const events = this.#events;
    this.#events = [];
    this.#isDraining = true;
    for (const event of events) event();
    this.#isDraining = false;
  }
}

function clientOf(identity: Identity) {
  return identity.grant instanceof HookGrant ? identity.grant.client : absentClient(identity);
}
