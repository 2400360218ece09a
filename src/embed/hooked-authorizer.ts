// The program's hooks as the broker's Authorizer, behind the node's own one: each of the two can only
// refuse what the other allows. Decisions that may take time are made before the packet is handled
// (PacketJudge), and wait in the client's grant until the broker asks.
// Invariant: a hook that fails has refused.

import { performance } from 'node:perf_hooks';
import { AccessControl } from '../auth/access-control.ts';
import type {
  AccessRule,
  AuthDecision,
  Authorizer,
  ConnectRequest,
  Identity,
  PacketJudge,
  RequestedMessage,
} from '../broker/ports.ts';
import type { WillPacket } from '../mqtt/control-decoder.ts';
import type { QoS } from '../mqtt/publish-view.ts';
import { isFailure, ReasonCode } from '../mqtt/reason-code.ts';
import { parseSharedFilter } from '../mqtt/topic.ts';
import type * as api from './api.ts';
import { HookGrant, ProgramClient } from './hook-grant.ts';
import { type Answer, type HookRunner, readBoolean } from './hook-runner.ts';
import { ProgramMessage } from './program-message.ts';

const WILL_REFUSED: AuthDecision = {
  reasonCode: ReasonCode.notAuthorized,
  reason: 'authorizePublish refused the will',
};

export class HookedAuthorizer implements Authorizer {
  readonly judge: PacketJudge | undefined;
  readonly #own: Authorizer;
  readonly #hooks: api.Hooks;
  readonly #runner: HookRunner;
  readonly #isRestricting: boolean;

  constructor(own: Authorizer, hooks: api.Hooks, runner: HookRunner) {
    const { authorizePublish, authorizeSubscribe, authorizeReceive } = hooks;
    this.#own = own;
    this.#hooks = hooks;
    this.#runner = runner;
    this.#isRestricting =
      (authorizePublish ?? authorizeSubscribe ?? authorizeReceive) !== undefined;
    const needsJudge = (authorizePublish ?? authorizeSubscribe) !== undefined;
    this.judge = needsJudge ? this.#makeJudge() : undefined;
  }

  get permissive(): boolean {
    return this.#own.permissive && !this.#isRestricting;
  }

  get provesUsers(): boolean {
    return this.#own.provesUsers || this.#hooks.authenticate !== undefined;
  }

  get work(): number {
    return this.#own.work;
  }

  authenticate(
    request: ConnectRequest,
    done: (decision: AuthDecision, now: number) => void,
  ): AuthDecision | undefined {
    const decide = (own: AuthDecision): AuthDecision | Promise<AuthDecision> =>
      own.reasonCode === ReasonCode.success ? this.#decide(request, own) : own;
    const own = this.#own.authenticate(request, (later, now) => {
      const decision = decide(later);
      if (decision instanceof Promise) answerLater(decision, done);
      else done(decision, now);
    });
    const decision = own && decide(own);
    if (!(decision instanceof Promise)) return decision;
    answerLater(decision, done);
    return undefined;
  }

  #decide(request: ConnectRequest, own: AuthDecision): AuthDecision | Promise<AuthDecision> {
    const client = new ProgramClient(request);
    client.username = own.username ?? client.username;
    const grant = new HookGrant(client, own.grant);
    const answer = this.#askForLogin(client, request);
    const conclude = (given: Answer<api.Authentication>): AuthDecision | Promise<AuthDecision> => {
      const decision = decisionOf(given, { ...own, grant });
      if (decision.reasonCode !== ReasonCode.success) return decision;
      client.username = decision.username ?? client.username;
      return this.#decideOnWill(client, request.will, decision);
    };
    return answer instanceof Promise ? answer.then(conclude) : conclude(answer);
  }

  #askForLogin(
    client: ProgramClient,
    { password }: ConnectRequest,
  ): Answer<api.Authentication> | Promise<Answer<api.Authentication>> {
    const hooks = this.#hooks;
    if (hooks.authenticate === undefined) return { value: {} };
    const login = { password };
    return this.#runner.call('authenticate', () => hooks.authenticate?.(client, login), readLogin);
  }

  #decideOnWill(
    client: ProgramClient,
    will: WillPacket | undefined,
    decision: AuthDecision,
  ): AuthDecision | Promise<AuthDecision> {
    if (will === undefined || this.#hooks.authorizePublish === undefined) return decision;
    const answer = this.#askToPublish(client, will);
    const conclude = (given: Answer<boolean>): AuthDecision =>
      given.fault === undefined && given.value ? decision : WILL_REFUSED;
    return answer instanceof Promise ? answer.then(conclude) : conclude(answer);
  }

  #askToPublish(client: ProgramClient, message: RequestedMessage) {
    const hooks = this.#hooks;
    const shown = ProgramMessage.of(message, message.qos, message.retain);
    const call = () => hooks.authorizePublish?.(client, shown);
    return this.#runner.call('authorizePublish', call, readBoolean);
  }

  #makeJudge(): PacketJudge {
    return {
      judgePublish: (identity, message, done) => this.#judgePublish(identity, message, done),
      judgeSubscribe: (identity, requests, done) => this.#judgeSubscribe(identity, requests, done),
    };
  }

  #judgePublish(
    identity: Identity,
    message: RequestedMessage,
    done: (now: number) => void,
  ): boolean {
    const { grant } = identity;
    if (!(grant instanceof HookGrant) || this.#hooks.authorizePublish === undefined) return true;
    const { topic } = message;
    // What the node itself refuses is no question for the program.
    if (!this.#ownMayPublish(grant.ownIdentity(identity), topic)) return true;
    const keep = (answer: Answer<boolean>): void => {
      grant.publish = { topic, isAllowed: isYes(answer) };
    };
    const answer = this.#askToPublish(grant.client, message);
    if (!(answer instanceof Promise)) {
      keep(answer);
      return true;
    }
    void answer.then((given) => {
      keep(given);
      done(performance.now());
    });
    return false;
  }

  #judgeSubscribe(
    identity: Identity,
    requests: readonly { readonly filter: string; readonly qos: QoS }[],
    done: (now: number) => void,
  ): boolean {
    const { grant } = identity;
    const hooks = this.#hooks;
    if (!(grant instanceof HookGrant) || hooks.authorizeSubscribe === undefined) return true;
    const { client } = grant;
    const answers = requests.map(({ filter, qos }) =>
      this.#runner.call(
        'authorizeSubscribe',
        () => hooks.authorizeSubscribe?.(client, { filter, qos }),
        readBoolean,
      ),
    );
    const keep = (given: readonly Answer<boolean>[]): void => {
      const filters = new Map<string, boolean>();
      for (const [index, { filter }] of requests.entries()) {
        const plain = parseSharedFilter(filter)?.filter ?? filter;
        filters.set(plain, (filters.get(plain) ?? true) && isYes(given[index]!));
      }
      grant.filters = filters;
    };
    if (answers.every((answer) => !(answer instanceof Promise))) {
      keep(answers as Answer<boolean>[]);
      return true;
    }
    void Promise.all(answers).then((given) => {
      keep(given);
      done(performance.now());
    });
    return false;
  }

  #ownMayPublish(identity: Identity, topic: string): boolean {
    return this.#own.permissive || this.#own.mayPublish(identity, topic);
  }

  mayPublish(identity: Identity, topic: string): boolean {
    const { grant } = identity;
    if (!(grant instanceof HookGrant)) return this.#ownMayPublish(identity, topic);
    const decided = grant.publish?.topic === topic ? grant.publish : undefined;
    if (decided !== undefined) grant.publish = undefined;
    return decided?.isAllowed !== false && this.#ownMayPublish(grant.ownIdentity(identity), topic);
  }

  subscriptionRefusal(identity: Identity, filter: string): number {
    const { grant } = identity;
    const isHooked = grant instanceof HookGrant;
    if (isHooked && grant.filters.get(filter) === false) return ReasonCode.notAuthorized;
    if (this.#own.permissive) return 0;
    const own = isHooked ? grant.ownIdentity(identity) : identity;
    return this.#own.subscriptionRefusal(own, filter);
  }

  mayReceive(identity: Identity, topic: string): boolean {
    const { grant } = identity;
    const isHooked = grant instanceof HookGrant;
    const own = isHooked ? grant.ownIdentity(identity) : identity;
    if (!this.#own.permissive && !this.#own.mayReceive(own, topic)) return false;
    const hooks = this.#hooks;
    if (hooks.authorizeReceive === undefined || grant === AccessControl.trusted) return true;
    const client = isHooked ? grant.client : absentClient(identity);
    const call = () => hooks.authorizeReceive?.(client, topic);
    return isYes(this.#runner.callNow('authorizeReceive', call, readBoolean));
  }

  /** A hook decides on each topic by itself, so no filter is known to be free as a whole. */
  mayReceiveAll(identity: Identity, filter: string): boolean {
    const { grant } = identity;
    if (grant === AccessControl.trusted) return true;
    if (this.#hooks.authorizeReceive !== undefined) return false;
    const own = grant instanceof HookGrant ? grant.ownIdentity(identity) : identity;
    return this.#own.permissive || this.#own.mayReceiveAll(own, filter);
  }

  /** Those of the node: what a hook decides is in no list. */
  rulesOf(identity: Identity): readonly AccessRule[] | undefined {
    const { grant } = identity;
    const own = grant instanceof HookGrant ? grant.ownIdentity(identity) : identity;
    return this.#own.rulesOf?.(own);
  }

  isStillAuthorized(identity: Identity): boolean {
    const { grant } = identity;
    const own = grant instanceof HookGrant ? grant.ownIdentity(identity) : identity;
    return this.#own.isStillAuthorized(own);
  }
}

function answerLater(
  decision: Promise<AuthDecision>,
  done: (decision: AuthDecision, now: number) => void,
): void {
  void decision.then((decided) => done(decided, performance.now()));
}

function isYes(answer: Answer<boolean>): boolean {
  return answer.fault === undefined && answer.value;
}

/** Of a session whose client has not connected since the start of the node. */
export function absentClient({ clientId, username }: Identity): ProgramClient {
  return new ProgramClient({
    clientId,
    username,
    password: undefined,
    remoteAddress: '',
    listener: { name: '' },
  });
}

/** @returns undefined for what is no answer */
function readLogin(answer: unknown): api.Authentication | undefined {
  if (answer === true) return {};
  if (answer === false) return { reasonCode: ReasonCode.badUserNameOrPassword };
  if (answer === null || typeof answer !== 'object') return undefined;
  const { reasonCode, reason, username, expiresSeconds } = answer as Record<string, unknown>;
  const isCode = typeof reasonCode === 'number' && isFailure(reasonCode) && reasonCode <= 0xff;
  const isValid =
    (reasonCode === undefined || isCode) &&
    (reason === undefined || typeof reason === 'string') &&
    (username === undefined || (typeof username === 'string' && username !== '')) &&
    (expiresSeconds === undefined || (typeof expiresSeconds === 'number' && expiresSeconds > 0));
  return isValid ? (answer as api.Authentication) : undefined;
}

function decisionOf(answer: Answer<api.Authentication>, accepted: AuthDecision): AuthDecision {
  if (answer.fault !== undefined) {
    return { reasonCode: ReasonCode.serverUnavailable, reason: `authenticate: ${answer.fault}` };
  }
  const { reasonCode, reason, username, expiresSeconds = Number.POSITIVE_INFINITY } = answer.value;
  if (reasonCode !== undefined) {
    return { reasonCode, reason: reason ?? 'the authenticate hook refused the client' };
  }
  const expiresInMs = Math.min(
    accepted.expiresInMs ?? Number.POSITIVE_INFINITY,
    expiresSeconds * 1000,
  );
  return {
    ...accepted,
    ...(username !== undefined && { username }),
    ...(expiresInMs < Number.POSITIVE_INFINITY && { expiresInMs }),
  };
}
