// The listeners of a mosquitto.conf on their way to [[listener]] tables. Invariant: what a listener
// asks of its clients, and Shoal can't ask, never opens it wider than mosquitto would: the listener
// is left out, or bound to this machine.

import type { ListenerProtocol } from '../shared/listener-config.ts';
import { isKeyOf, listenerTable, type TableKey } from './listeners.ts';
import type { Directive } from './mosquitto-lines.ts';
import { areOverlapping } from './validate.ts';

const tableKeys = Object.keys(listenerTable) as TableKey[];

export class ListenerDraft {
  /** Values by key of a [[listener]]. */
  readonly settings = new Map<string, string>();
  /** The directive that set each key. */
  readonly sources = new Map<string, Directive>();
  /** Undefined for mosquitto's default listener. */
  readonly directive: Directive | undefined;
  /** Why it can't be opened here. */
  refusal: string | undefined;

  constructor(directive?: Directive) {
    this.directive = directive;
  }

  get isOpen(): boolean {
    return this.refusal === undefined;
  }

  bindToThisMachine(): void {
    this.settings.set('bind', '127.0.0.1');
  }
}

/** In mosquitto a certificate makes a listener TLS; here the protocol does. */
export function setTls(
  draft: ListenerDraft,
  note: (source: Directive, text: string) => void,
): void {
  const { settings, sources } = draft;
  if (settings.has('cert') !== settings.has('key')) {
    draft.refusal ??= 'TLS needs both certfile and keyfile';
  }
  if (!settings.has('cert')) return;
  settings.set('protocol', settings.get('protocol') === 'ws' ? 'wss' : 'tls');
  const identity = sources.get('use-identity-as-username');
  const isNamed = settings.get('use-identity-as-username') === 'true';
  if (isNamed && identity !== undefined && !settings.has('require-certificate')) {
    settings.set('require-certificate', 'required');
    note(
      identity,
      'asks for certificates; without require_certificate mosquitto lets no client in',
    );
  }
  if (settings.has('require-certificate') && !settings.has('ca')) {
    draft.refusal ??= 'a client certificate needs the authorities that issue it: cafile';
  }
}

/** Removes the keys that a listener of this protocol doesn't have, as mosquitto ignores them. */
export function dropUnusedKeys(draft: ListenerDraft, note: (source: Directive) => void): void {
  const { settings, sources } = draft;
  const protocol = (settings.get('protocol') ?? 'tcp') as ListenerProtocol;
  for (const key of tableKeys) {
    const { flag } = listenerTable[key];
    const source = sources.get(flag);
    if (!settings.has(flag) || isKeyOf(key, protocol)) continue;
    settings.delete(flag);
    if (source !== undefined) note(source);
  }
}

/** Joins or leaves out listeners that can't all listen on one port here. */
export function resolveOverlaps(drafts: readonly ListenerDraft[]): ListenerDraft[] {
  const kept: ListenerDraft[] = [];
  for (const draft of drafts) {
    const samePort = kept.filter((other) => other.isOpen && portOf(other) === portOf(draft));
    const [rival] = samePort.filter((other) => areOverlapping(bindOf(other), bindOf(draft)));
    if (rival === undefined || !draft.isOpen) {
      kept.push(draft);
    } else if (samePort.length === 1 && areBothFamilies(rival, draft)) {
      // One socket serves IPv4 and IPv6.
      rival.settings.delete('bind');
    } else {
      const { file = '', line = 0 } = rival.directive ?? {};
      draft.refusal = `another listener has its address and port: ${line === 0 ? 'the default one' : `${file}:${line}`}`;
      kept.push(draft);
    }
  }
  return kept;
}

/** Whether one listens on all IPv4 addresses, the other on all IPv6 ones, and they are equal otherwise. */
function areBothFamilies(a: ListenerDraft, b: ListenerDraft): boolean {
  if (![bindOf(a), bindOf(b)].includes('0.0.0.0') || ![bindOf(a), bindOf(b)].includes('::')) {
    return false;
  }
  const others = ({ settings }: ListenerDraft): string =>
    JSON.stringify([...settings].filter(([key]) => key !== 'bind').sort());
  return others(a) === others(b);
}

function portOf({ settings }: ListenerDraft): number {
  return Number(settings.get('port'));
}

function bindOf({ settings }: ListenerDraft): string | undefined {
  return settings.get('bind');
}
