// Answers the questions of the HTTP API (NodeApi) over the parts of this node. Reads; what it changes, it
// changes through the part that owns it.

import type { NodeApi, NodeView, VerdictView } from '../http/node-api.ts';
import { formatEndpoint } from '../shared/endpoint.ts';
import type { Logger } from '../shared/logger.ts';
import type { ClusterStatus, MemberStatus } from './cluster-status.ts';
import type { SiteStatus } from './site-status.ts';
import type { LinkFacts } from './verdict.ts';

export interface NodeViewParts {
  readonly name: string;
  readonly log: Logger;
  readonly site: SiteStatus;
  /** Undefined without -csk. */
  readonly cluster: ClusterStatus | undefined;
  /** Whether -mbs names other nodes. */
  readonly expectsOthers: boolean;
}

export class LocalNodeApi implements NodeApi {
  readonly #parts: NodeViewParts;

  constructor(parts: NodeViewParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  verdict(): VerdictView {
    return this.#parts.site.verdict();
  }

  nodes(): readonly NodeView[] {
    const { nodes, links } = this.#parts.site.facts();
    const members = new Map<string, MemberStatus>();
    for (const status of this.#parts.cluster?.members() ?? [])
      members.set(status.member.name, status);
    return nodes.map((facts) => {
      const { name, isSelf, state, since, version, clients, loadPercent, messagesPerSecond } =
        facts;
      const status = members.get(name);
      const own = isSelf ? this.#parts.site.figures : status?.own;
      const { rttMs } = status?.peer ?? {};
      return {
        name,
        isSelf,
        state,
        since,
        address: status === undefined ? null : formatEndpoint(status.member.endpoint),
        version: version ?? null,
        clients: clients ?? null,
        sessions: own?.sessions ?? null,
        receivedPerSecond: messagesPerSecond ?? null,
        sentPerSecond: own?.sentPerSecond ?? null,
        load: loadPercent ?? null,
        rttSeconds: rttMs === undefined ? null : Number((rttMs / 1000).toPrecision(3)),
        ...linksOf(name, links),
        differingOptions: facts.differingOptions,
      };
    });
  }

  obstacles(): readonly string[] {
    const { cluster, expectsOthers } = this.#parts;
    const others = cluster
      ?.members()
      .filter(({ member }) => !member.isSelf && member.state === 'alive');
    if (expectsOthers && others?.length === 0) return ['No other node has answered yet.'];
    return [];
  }

  reportFault(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.log.error('a request over HTTP found a fault of this program', { error: text });
  }
}

/** Loss and blocked directions between this node and another one. */
function linksOf(name: string, links: readonly LinkFacts[]): Pick<NodeView, 'loss' | 'blocked'> {
  const loss: { in: number | null; out: number | null } = { in: null, out: null };
  const blocked: string[] = [];
  for (const { from, to, port, isBlocked, lossShare } of links) {
    const direction = from === name ? 'in' : to === name ? 'out' : undefined;
    if (direction === undefined) continue;
    if (isBlocked) blocked.push(`${direction} on UDP ${port}`);
    if (lossShare !== undefined) loss[direction] = Number((lossShare * 100).toPrecision(3));
  }
  return { loss, blocked };
}
