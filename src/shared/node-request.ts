// A request to a node and its reply, however it came: by HTTP, by the control socket, or from another
// node. Plain data, so that one handler serves all three.

export interface NodeRequest {
  /** GET reads; every other method changes something. */
  readonly method: string;
  /** Begins with a slash. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** A JSON value; undefined if there is none. */
  readonly body?: unknown;
}

export interface NodeReply {
  /** As in HTTP. */
  readonly status: number;
  /** A JSON value; undefined if there is none. */
  readonly body?: unknown;
}

/** @returns undefined if the value is no request; an additional field is ignored */
export function readNodeRequest(value: unknown): NodeRequest | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { method, path, query = {}, body } = value as Record<string, unknown>;
  if (typeof method !== 'string' || typeof path !== 'string') return undefined;
  if (typeof query !== 'object' || query === null) return undefined;
  const words = Object.entries(query).filter(([, word]) => typeof word === 'string');
  return { method, path, query: Object.fromEntries(words) as Record<string, string>, body };
}

/** @returns undefined if the value is no reply */
export function readNodeReply(value: unknown): NodeReply | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { status, body } = value as Record<string, unknown>;
  // Of HTTP, and with a body: node:http throws for others.
  const isFinal = Number.isInteger(status) && (status as number) >= 200 && (status as number) < 600;
  if (typeof status !== 'number' || !isFinal) return undefined;
  return { status, body };
}
