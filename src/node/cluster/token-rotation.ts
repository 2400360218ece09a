// Replaces the cluster token on all nodes, led by one of them: every node accepts the token that stays, then every
// node signs with it, then every node forgets the other. Each step begins when all nodes have done the one before,
// so that at any time each node accepts what every other one signs. Taking a rotation back is the same with the
// two tokens exchanged. Keeps no state but what the nodes have: another leader can go on.
// Invariants: nothing changes unless every node can; a node that is offline stops the steps that it would miss.

import type { NodeTokens, RotationAction, RotationView } from '../../http/cluster-token-view.ts';
import type { Logger } from '../../shared/logger.ts';
import { listOfWords } from '../../shared/units.ts';
import { SettingError } from '../config-source.ts';

/** Datagrams that were signed with the other token have arrived by then. */
const IN_FLIGHT_MS = 2_000;
/** Of one step: nodes may come online while it is under way. */
const ROUNDS_MAX = 5;
const STEPS = ['accept', 'sign', 'forget'] as const;
const NO_ROTATION: RotationView = {
  state: 'none',
  step: 'accept',
  keeps: null,
  drops: null,
  nodes: [],
  offline: [],
  left: [],
  problem: null,
};

type Step = (typeof STEPS)[number];

export interface Token {
  readonly id: string;
  readonly text: string;
}

/** What a node says of itself, or why it says nothing. */
export type Surveyed = NodeTokens | { readonly node: string; readonly problem: string };

export interface RotationPort {
  readonly nodeName: string;
  readonly log: Logger;
  /** Of this node, the one that signs first. */
  tokens(): readonly Token[];
  newToken(): string;
  /** Asks all nodes that are online, this one too. */
  survey(): Promise<readonly Surveyed[]>;
  /** Names of other members by their state. */
  members(state: 'offline' | 'left'): readonly string[];
  /** Makes a node use these tokens. Rejects with an error that says why it does not. */
  hand(node: string, tokens: readonly string[], incoming: string): Promise<void>;
  wait(ms: number): Promise<void>;
}

interface Plan {
  readonly keep: Token;
  readonly drop: Token;
  /** The one that is new. */
  readonly incoming: string;
  /** Why the old token stays. */
  readonly reason?: string;
}

export class TokenRotation {
  readonly #port: RotationPort;
  #view: RotationView = NO_ROTATION;

  constructor(port: RotationPort) {
    this.#port = port;
  }

  get view(): RotationView {
    return this.#view;
  }

  /** Resolves when the steps are under way. Rejects with SettingError, and then nothing has changed. */
  async begin(action: RotationAction): Promise<RotationView> {
    if (this.#view.state === 'running') throw new SettingError('a rotation is under way already');
    const before = this.#view;
    this.#view = { ...NO_ROTATION, state: 'running' };
    try {
      const nodes = wholeSurvey(await this.#port.survey());
      const plan = action === 'start' ? await this.#newPlan(nodes) : this.#planFor(action, nodes);
      this.#view = { ...this.#view, nodes, keeps: plan.keep.id, drops: plan.drop.id };
      this.#port.log.info('cluster token rotation begins', this.#fields);
      void this.#run(plan);
      return this.#view;
    } catch (error) {
      this.#view = before;
      throw error;
    }
  }

  get #fields() {
    const { keeps, drops } = this.#view;
    return { keeps: keeps ?? '', drops: drops ?? '' };
  }

  async #newPlan(nodes: readonly NodeTokens[]): Promise<Plan> {
    const { nodeName } = this.#port;
    const open = nodes.filter(({ accepts }) => accepts.length > 1).map(({ node }) => node);
    if (open.length > 0) {
      throw new SettingError(
        `${listOfWords(open)} ${verb(open, 'accepts', 'accept')} more than one token: a rotation is under way; -resume goes on with it, -abort takes it back`,
      );
    }
    const obstacles = nodes.flatMap(({ node, obstacle }) =>
      obstacle === null ? [] : [`${node} ${obstacle}`],
    );
    if (obstacles.length > 0) throw new SettingError(obstacles.join('; '));
    const [old] = this.#port.tokens();
    if (old === undefined) throw new SettingError('this node has no cluster token');
    // The leader has both tokens on its disk before another node has one of them.
    await this.#port.hand(nodeName, [old.text, this.#port.newToken()], '');
    const [, made] = this.#port.tokens();
    if (made === undefined) throw new SettingError('this node has not taken the new token');
    return { keep: made, drop: old, incoming: made.id };
  }

  #planFor(action: RotationAction, nodes: readonly NodeTokens[]): Plan {
    const [signing, other, third] = this.#port.tokens();
    if (signing === undefined || other === undefined) {
      const both = nodes.filter(({ accepts }) => accepts.length > 1).map(({ node }) => node);
      throw new SettingError(
        both.length === 0
          ? 'no rotation is under way'
          : `this node has one token only; ask ${listOfWords(both)}, which ${verb(both, 'has', 'have')} both`,
      );
    }
    const ids = [signing.id, other.id];
    const strange = nodes.filter(({ accepts }) => accepts.some((id) => !ids.includes(id)));
    if (third !== undefined || strange.length > 0) {
      const names = listOfWords(strange.map(({ node }) => node));
      throw new SettingError(
        third === undefined
          ? `${names} ${verb(strange, 'has', 'have')} a token that this node does not have`
          : 'this node has more than two tokens: leave two in its file',
      );
    }
    const incoming = nodes.map((one) => one.incoming).find((id) => id !== null && ids.includes(id));
    if (incoming == null) {
      // All nodes have started again since: the token that signs here is accepted everywhere.
      const reason = `no node remembers which token is the new one, so ${signing.id} stays; rotate once more`;
      return { keep: signing, drop: other, incoming: other.id, reason };
    }
    const [made, old] = incoming === signing.id ? [signing, other] : [other, signing];
    return action === 'resume'
      ? { keep: made, drop: old, incoming }
      : { keep: old, drop: made, incoming };
  }

  async #run(plan: Plan): Promise<void> {
    try {
      for (const step of STEPS) {
        this.#view = { ...this.#view, step };
        if (step === 'forget') await this.#port.wait(IN_FLIGHT_MS);
        if (!(await this.#isDoneEverywhere(step, plan))) return;
        this.#port.log.info('cluster token rotation: a step is done', { step, ...this.#fields });
      }
      const left = this.#port.members('left');
      this.#view = { ...this.#view, state: 'done', left, problem: plan.reason ?? null };
      this.#port.log.info('cluster token rotation is done', this.#fields);
    } catch (error) {
      await this.#fail(plan, error instanceof Error ? error.message : String(error));
    }
  }

  /** @returns false if a node is offline that would miss the step. Rejects if a node can't do it. */
  async #isDoneEverywhere(step: Step, plan: Plan): Promise<boolean> {
    const { nodeName } = this.#port;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const nodes = wholeSurvey(await this.#port.survey());
      const offline = step === 'accept' ? [] : this.#port.members('offline');
      this.#view = { ...this.#view, nodes, offline };
      if (offline.length > 0) {
        this.#view = { ...this.#view, state: 'waiting' };
        this.#port.log.warn('cluster token rotation waits for nodes that are offline', {
          nodes: offline.join(' '),
        });
        return false;
      }
      const behind = nodes.filter((one) => !hasDone(step, one, plan)).map(({ node }) => node);
      if (behind.length === 0) return true;
      // The leader keeps both tokens for as long as another node needs them.
      const others = behind.filter((name) => name !== nodeName);
      const own = behind.filter((name) => name === nodeName);
      for (const name of step === 'forget' ? [...others, ...own] : [...own, ...others]) {
        await this.#hand(name, step, plan);
      }
    }
    throw new Error('the nodes do not keep their tokens');
  }

  async #hand(name: string, step: Step, { keep, drop, incoming }: Plan): Promise<void> {
    const lists = {
      accept: [drop.text, keep.text],
      sign: [keep.text, drop.text],
      forget: [keep.text],
    };
    try {
      await this.#port.hand(name, lists[step], incoming);
    } catch (error) {
      throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Takes the rotation back if a node can't take the new token and none signs with it yet; else stops it. */
  async #fail({ keep, drop, incoming, reason }: Plan, problem: string): Promise<void> {
    const isHarmless = this.#view.step === 'accept' && keep.id === incoming && !reason;
    this.#port.log.error('cluster token rotation fails', { problem, takenBack: isHarmless });
    if (!isHarmless) {
      this.#view = { ...this.#view, state: 'stopped', problem };
      return;
    }
    this.#view = { ...this.#view, keeps: drop.id, drops: keep.id };
    await this.#run({ keep: drop, drop: keep, incoming, reason: problem });
  }
}

function hasDone(step: Step, { signs, accepts }: NodeTokens, { keep }: Plan): boolean {
  if (step === 'accept') return accepts.includes(keep.id);
  if (step === 'sign') return signs === keep.id;
  return accepts.length === 1 && signs === keep.id;
}

/** @throws SettingError if a node has not answered */
function wholeSurvey(surveyed: readonly Surveyed[]): readonly NodeTokens[] {
  const problems = surveyed.flatMap((one) => ('problem' in one ? [one.problem] : []));
  if (problems.length > 0) throw new SettingError(problems.join('; '));
  return surveyed.filter((one) => !('problem' in one)) as readonly NodeTokens[];
}

function verb(names: readonly unknown[], one: string, several: string): string {
  return names.length === 1 ? one : several;
}
