// A subscriber of the node itself: sees what its filter matches and takes part in no acknowledgement. It
// costs nothing while there is none, and is ready at all times: what it can't use it drops itself.

import type { QoS } from '../mqtt/publish-view.ts';
import { ClientAccount, UserAccount } from './accounts.ts';
import type { Message } from './message/message.ts';
import type { Publication } from './message/publication.ts';
import type { Identity } from './ports.ts';
import type { Subscriber } from './routing/subscription.ts';

export interface Observation {
  readonly topic: string;
  /** The caller must not change it, nor keep it: a view of the packet. */
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
}

const IDENTITY: Identity = { clientId: '', username: undefined };

export class Observer implements Subscriber {
  readonly identity = IDENTITY;
  readonly account = new ClientAccount(new UserAccount('node'));
  readonly online = true;
  readonly ready = true;
  readonly isUnrestricted = true;
  readonly #take: (message: Observation) => void;

  constructor(take: (message: Observation) => void) {
    this.#take = take;
  }

  deliver(publication: Publication, qos: QoS, retain: boolean): void {
    this.deliverMessage(publication.message(), qos, retain);
  }

  deliverMessage({ topic, payload }: Message, qos: QoS, retain: boolean): void {
    this.#take({ topic: topic.name, payload, qos, retain });
  }
}
