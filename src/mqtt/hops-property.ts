// The user properties by which bridges of Shoal know each other and their messages: docs/bridge.md.

/** In CONNECT: the client is a bridge. Its value is the name of the bridge. */
export const BRIDGE_PROPERTY = 'shoal-bridge';
/** In PUBLISH: the way of the message over bridges; src/broker/message/hops.ts has its form. */
export const HOPS_PROPERTY = 'shoal-hops';

const NAME = Buffer.from(HOPS_PROPERTY);
/** PropertyId.userProperty of properties.ts, which imports this file. */
const USER_PROPERTY = 38;

/** True if the user property whose value begins at `start` holds hops. */
export function isHops(buffer: Buffer, start: number): boolean {
  if (buffer[start] !== 0 || buffer[start + 1] !== NAME.length) return false;
  for (let i = 0; i < NAME.length; i++) if (buffer[start + 2 + i] !== NAME[i]) return false;
  return true;
}

/** Offset of the hops in the user property whose value begins at `start`. */
export function hopsStart(start: number): number {
  return start + 2 + NAME.length + 2;
}

/** The hops, in ASCII. @param end behind the user property */
export function hopsText(buffer: Buffer, start: number, end: number): string {
  return buffer.toString('latin1', hopsStart(start), end);
}

/** The whole user property, identifier included. @param text ASCII */
export function encodeHops(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(3 + NAME.length + 2 + text.length);
  bytes[0] = USER_PROPERTY;
  bytes.writeUInt16BE(NAME.length, 1);
  NAME.copy(bytes, 3);
  const at = 3 + NAME.length;
  bytes.writeUInt16BE(text.length, at);
  bytes.write(text, at + 2, 'latin1');
  return bytes;
}
