// A NodeApi without a node, for tests of the HTTP API: it has no clients, and remembers what it is asked
// to change.

import type { DiagnosisView } from '../../src/http/diagnosis-view.ts';
import type { BanTargetView, NodeApi, Outgoing } from '../../src/http/node-api.ts';
import { HttpProblem } from '../../src/http/problem.ts';

export class FakeNodeApi implements NodeApi {
  readonly name = 'box1';
  readonly online = ['box1'];
  readonly version = '0.0.0';
  readonly isOpen = true;
  readonly retainedHash = 0;
  readonly published: Outgoing[] = [];
  readonly faults: unknown[] = [];
  readonly clusterToken: NodeApi['clusterToken'] = {
    view: unavailable,
    take: unavailable,
    rotate: unavailable,
    get rotation(): never {
      throw new HttpProblem(409, 'No cluster.');
    },
  };
  readonly guards = {
    bans: () => [],
    ban: ({ address, client, user }: BanTargetView) =>
      ({
        address: address ?? null,
        client: client ?? null,
        user: user ?? null,
        reason: 'by hand',
        since: 0,
        until: 0,
      }) as const,
    liftBan: () => false,
    slowSubscribers: () => [],
  };
  readonly bridges = { list: () => [], reconnect: () => false };

  readonly setOption: NodeApi['setOption'] = unavailable;

  verdict() {
    return { level: 'well', sentence: 'All well.', faults: [] } as const;
  }

  nodes() {
    return [];
  }

  summary() {
    return { retained: { count: 0, isReplicated: false }, clientUrls: [] };
  }

  strangers() {
    return [];
  }

  async invite() {
    return undefined;
  }

  obstacles() {
    return [];
  }

  async clients() {
    return { items: [], total: 0 };
  }

  client() {
    return undefined;
  }

  disconnect(): boolean {
    return false;
  }

  forget(): boolean {
    return false;
  }

  async subscriptions() {
    return { items: [], total: 0 };
  }

  async retained() {
    return { items: [], total: 0 };
  }

  async topics() {
    return { items: [], total: 0 };
  }

  publish(message: Outgoing) {
    this.published.push(message);
    return { isMatched: false, isNotRetained: false };
  }

  async ask() {
    return { status: 502 };
  }

  async askAll() {
    return new Map();
  }

  observe() {
    return () => undefined;
  }

  trace() {
    return () => undefined;
  }

  follow() {
    return () => undefined;
  }

  metrics() {
    return [];
  }

  history() {
    return { samples: [], marks: [] };
  }

  config() {
    return [];
  }

  async diagnose(): Promise<DiagnosisView> {
    throw new Error('no node');
  }

  async ping() {
    return undefined;
  }

  forgetNode(): boolean {
    return false;
  }

  contact(): boolean {
    return false;
  }

  stop(): void {}

  reportFault(error: unknown): void {
    this.faults.push(error);
  }
}

function unavailable(): Promise<never> {
  return Promise.reject(new HttpProblem(409, 'No cluster.'));
}
