// The broker as a program sees it: checks each argument, brings the time into the core, and turns what
// the core answers into the API's own types. createBroker() and createNode() supply the parts.
// Invariants: nothing that a program passes reaches the core unchecked; and no call of a hook enters the
// core while the core is in the middle of an event.

import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { AccessControl } from '../auth/access-control.ts';
import type { Broker } from '../broker/broker.ts';
import type { ListenerRules } from '../broker/ports.ts';
import { isReservedClientId } from '../broker/session/local-session.ts';
import { describeReasonCode } from '../mqtt/reason-code.ts';
import { flushQueue } from '../net/clients/flush-queue.ts';
import { OngoingFaults } from '../shared/ongoing-faults.ts';
import type * as api from './api.ts';
import { AttachedStreams, isByteStream } from './attached-streams.ts';
import { ShoalError } from './errors.ts';
import { reasonOf } from './hook-runner.ts';
import { inOptionNames } from './option-names.ts';
import type { ProgramParts } from './program-options.ts';
import { readMessage, wrong } from './read-message.ts';
import { readSubscription } from './read-subscription.ts';
import { clientInfo, statsOf } from './snapshots.ts';
import { ProgramSubscription } from './subscription.ts';

export interface EmbeddedParts {
  readonly broker: Broker;
  readonly program: ProgramParts;
  /** @returns undefined for a name that no listener has */
  readonly findListener: (name: string | undefined) => ListenerRules | undefined;
  /** Closes what the broker does not own: journal, listeners, cluster. */
  readonly close: () => Promise<void>;
}

export class EmbeddedBroker implements api.Broker {
  readonly #parts: EmbeddedParts;
  readonly #streams: AttachedStreams;
  readonly #subscriptions = new Set<ProgramSubscription>();
  readonly #ongoingFaults = new OngoingFaults();
  #callbackFaults = 0;
  #subscriptionsMade = 0;
  #closing: Promise<void> | undefined;

  constructor(parts: EmbeddedParts) {
    this.#parts = parts;
    this.#streams = new AttachedStreams(parts.broker);
    parts.broker.sys.addSource('program', () => ({
      subscriptions: this.#subscriptions.size,
      callbackFaults: this.#callbackFaults,
      hookFaults: parts.program.runner.faults,
    }));
  }

  attach(stream: Duplex, info: api.AttachInfo = {}): void {
    if (!isByteStream(stream)) throw wrong('stream', stream, 'a duplex stream of bytes');
    const listener = this.#parts.findListener(info.listener);
    if (listener === undefined) {
      throw wrong('listener', info.listener, 'the name of a listener of this node');
    }
    this.#parts.program.guard.run(() => {
      if (this.#closing === undefined) this.#streams.attach(stream, info, listener);
      else this.#streams.refuse(stream);
    });
  }

  async publish(message: api.PublishMessage): Promise<api.PublishResult> {
    this.#checkOpen();
    const { topic, content } = readMessage(message);
    if (this.#isInsideCore) await this.#endOfEvent();
    const { broker } = this.#parts;
    const begin = flushQueue.size;
    const result = broker.administration.publish(topic, content, performance.now());
    flushQueue.endGroup(begin);
    if (broker.context.store.durable) await this.#whenStored();
    return {
      matched: result.isMatched,
      refused: result.isRefused ? 'all' : result.isPartlyRefused ? 'some' : 'none',
      retained: content.retain && content.payload.length > 0 && !result.isNotRetained,
    };
  }

  async subscribe(
    filter: string,
    callback: api.MessageCallback,
    options: api.SubscribeOptions = {},
  ): Promise<api.Subscription> {
    this.#checkOpen();
    const { qos, retained, concurrency } = readSubscription(filter, callback, options);
    if (this.#isInsideCore) await this.#endOfEvent();
    const subscription = new ProgramSubscription({
      filter,
      callback,
      concurrency,
      failed: (error) => this.#callbackFailed(filter, error),
      recovered: () => this.#callbackRecovered(filter),
      ended: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptionsMade += 1;
    const subscriber = this.#parts.broker.subscribeInProcess(
      {
        name: String(this.#subscriptionsMade),
        filter,
        qos,
        withRetained: retained,
        grant: AccessControl.trusted,
        sink: subscription,
      },
      performance.now(),
    );
    if (typeof subscriber === 'number') {
      throw wrong('filter', filter, `what the options allow: ${describeReasonCode(subscriber)}`);
    }
    if (typeof subscriber === 'string') {
      throw new ShoalError('LIMIT_REACHED', inOptionNames(`${subscriber} is reached`));
    }
    subscription.begin(subscriber);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  clients(): api.ClientInfo[] {
    const { administration } = this.#parts.broker;
    return [...administration.sessions()]
      .filter(({ id, isConnected }) => isConnected && !isReservedClientId(id))
      .map(clientInfo);
  }

  async kick(clientId: string, reason = 'disconnected by the program'): Promise<boolean> {
    this.#checkOpen();
    if (typeof clientId !== 'string') throw wrong('clientId', clientId, 'a string');
    if (typeof reason !== 'string') throw wrong('reason', reason, 'a string');
    if (this.#isInsideCore) await this.#endOfEvent();
    if (isReservedClientId(clientId)) return false;
    const { administration } = this.#parts.broker;
    return administration.disconnect(clientId, reason, performance.now());
  }

  async reauthorize(): Promise<void> {
    this.#checkOpen();
    if (this.#isInsideCore) await this.#endOfEvent();
    this.#parts.broker.applyRights(performance.now());
  }

  stats(): api.BrokerStats {
    const { broker, program } = this.#parts;
    return {
      ...statsOf(broker),
      sessions: broker.sessionCount,
      hookFaults: program.runner.faults,
      callbackFaults: this.#callbackFaults,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // What was published before reaches the callbacks and hooks of the program.
    await new Promise((resolve) => setImmediate(resolve));
    for (const subscription of this.#subscriptions) subscription.close();
    this.#parts.broker.shutdown(performance.now());
    await this.#streams.close();
    await this.#parts.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ShoalError('CLOSED', 'the broker is closed');
  }

  /** A hook, or the log, has made this call: the core is in the middle of an event. */
  get #isInsideCore(): boolean {
    return this.#parts.program.guard.isInside;
  }

  /** The core handles an event without a pause. */
  async #endOfEvent(): Promise<void> {
    await Promise.resolve();
  }

  /** Resolves when everything up to now is on the disk. */
  #whenStored(): Promise<void> {
    const { store } = this.#parts.broker.context;
    return new Promise((resolve, reject) => {
      const refused = (): void => reject(new ShoalError('NOT_STORED', 'the disk takes no changes'));
      const durability = store.whenDurable(() => resolve(), refused);
      if (durability === 'durable') resolve();
      else if (durability === 'refused') refused();
    });
  }

  #callbackFailed(filter: string, error: unknown): void {
    this.#callbackFaults += 1;
    if (!this.#ongoingFaults.report(filter, performance.now())) return;
    const fields = { filter, reason: reasonOf(error), count: this.#callbackFaults };
    this.#parts.program.log.warn('the callback of a subscription failed', fields);
  }

  #callbackRecovered(filter: string): void {
    const lastedMs = this.#ongoingFaults.resolve(filter, performance.now());
    if (lastedMs === undefined) return;
    this.#parts.program.log.info('the callback of a subscription works again', {
      filter,
      lastedMs,
    });
  }
}
