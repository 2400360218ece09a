// Another running node that claims the name of this one: what it is, and the words for it. Two boxes of one
// name are a mistake in a configuration; a box whose disk is a copy of this one's needs more than a name.

import type { Endpoint } from '../../shared/endpoint.ts';
import { formatEndpoint } from '../../shared/endpoint.ts';

/**
 * copy: its disk is a copy, with the machine id on it. process: it runs on this machine. folder: the data
 * folder of this node comes from another machine.
 */
export type RivalKind = 'copy' | 'process' | 'folder' | 'other';

export interface NameRival {
  readonly endpoint: Endpoint;
  readonly kind: RivalKind;
  /** It is in the cluster under the name, and this node is not. */
  readonly isHolder: boolean;
  /** Since when it is the holder, or when it last tried to join under the name; ms of performance.now(). */
  readonly since: number;
}

/**
 * @param isLocal whether its address is one of this machine
 * @param isFolderMoved whether the data folder of this node comes from another machine
 */
export function rivalKind(
  own: string | undefined,
  others: string | undefined,
  isLocal: boolean,
  isFolderMoved = false,
): RivalKind {
  if (isLocal) return 'process';
  if (own !== undefined && own === others) return 'copy';
  return isFolderMoved ? 'folder' : 'other';
}

/** A container may share the machine id of its host. */
const COPY_CURE =
  'set another -nid, empty the folder of -data, and run: rm /etc/machine-id && systemd-machine-id-setup; in a container on the same machine another -nid is enough';

const FOLDER_CURE =
  'stop the node there if this box replaces it; else set another -nid and empty the folder of -data';

const OTHER_CURE = 'give it another -nid, and an empty -data if that is a copy of the one here';

/** For the box that gives the name up. */
export function rivalCure(kind: RivalKind): string {
  if (kind === 'copy') return COPY_CURE;
  return kind === 'folder' ? FOLDER_CURE : 'choose another name with -nid';
}

/** What the box that gives the name up is, behind a sentence about it. */
export function rivalOrigin(kind: RivalKind): string {
  if (kind === 'copy') return ', and the disk of this box is a copy of the one there';
  return kind === 'folder' ? ', and the data folder of this box comes from another machine' : '';
}

const HINTS: Readonly<Record<RivalKind, string>> = {
  copy: `its disk is a copy of the one of this box, or it runs in a container on the same machine; there ${COPY_CURE}`,
  process: 'it runs on this box, too: stop it, or give it another -nid',
  folder: OTHER_CURE,
  other: OTHER_CURE,
};

/** For the box that keeps the name. */
export function rivalHint(kind: RivalKind): string {
  return HINTS[kind];
}

/** Another running node has this name. */
export class NameInUseError extends Error {
  override readonly name = 'NameInUseError';
  readonly holder: Endpoint;
  readonly kind: RivalKind;

  constructor(nodeName: string, holder: Endpoint, kind: RivalKind = 'other') {
    const place = formatEndpoint(holder);
    super(`the node name ${nodeName} is in use by the node at ${place}${rivalOrigin(kind)}`);
    this.holder = holder;
    this.kind = kind;
  }

  /** What to do on this box. */
  get cure(): string {
    return rivalCure(this.kind);
  }
}
