// Another running node that claims the name of this one: what it is, and the words for it. Two boxes of one
// name are a mistake in a configuration; a box whose disk is a copy of this one's needs more than a name.

import type { Endpoint } from '../../shared/endpoint.ts';
import { formatEndpoint } from '../../shared/endpoint.ts';

/** copy: its disk is a copy, with the machine id on it. process: it runs on this machine. */
export type RivalKind = 'copy' | 'process' | 'other';

export interface NameRival {
  readonly endpoint: Endpoint;
  readonly kind: RivalKind;
  /** It is in the cluster under the name, and this node is not. */
  readonly isHolder: boolean;
  /** Since when it is the holder, or when it last tried to join under the name; ms of performance.now(). */
  readonly since: number;
}

/** @param isLocal whether its address is one of this machine */
export function rivalKind(
  own: string | undefined,
  others: string | undefined,
  isLocal: boolean,
): RivalKind {
  if (isLocal) return 'process';
  return own !== undefined && own === others ? 'copy' : 'other';
}

/** What to do about a copy, on the box that gives the name up. A container may share the machine id of its host. */
export const COPY_CURE =
  'set another -nid, empty the folder of -data, and run: rm /etc/machine-id && systemd-machine-id-setup; in a container on the same machine another -nid is enough';

const CURES: Readonly<Record<RivalKind, string>> = {
  copy: `its disk is a copy of the one of this box, or it runs in a container on the same machine; there ${COPY_CURE}`,
  process: 'it runs on this box, too: stop it, or give it another -nid',
  other: 'give it another -nid',
};

/** For the box that keeps the name. */
export function rivalHint(kind: RivalKind): string {
  return CURES[kind];
}

/** Another running node has this name. */
export class NameInUseError extends Error {
  override readonly name = 'NameInUseError';
  readonly holder: Endpoint;
  readonly kind: RivalKind;

  constructor(nodeName: string, holder: Endpoint, kind: RivalKind = 'other') {
    const what = kind === 'copy' ? ', and the disk of this box is a copy of the one there' : '';
    super(`the node name ${nodeName} is in use by the node at ${formatEndpoint(holder)}${what}`);
    this.holder = holder;
    this.kind = kind;
  }

  /** What to do on this box. */
  get cure(): string {
    return this.kind === 'copy' ? COPY_CURE : 'choose another name with -nid';
  }
}
