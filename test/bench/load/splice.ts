// Takes the place of a broker that does nothing. It answers CONNECT and SUBSCRIBE and forwards each chunk
// unchanged: from a publisher to its subscribers, and acknowledgements from a subscriber to its publisher.
// The rate that the load generator reaches with it is the generator's own limit.
// Arguments: port, publishers, subscribers, copies.

import { type Connection, listen } from './handle.ts';

const [port = 0, publishers = 1, subscribers = 1, copies = 1] = process.argv.slice(2).map(Number);
const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const SUBACK = Buffer.from([0x90, 3, 0, 1, 0]);

const clients = new Map<string, Connection>();

/** The connections that receive a client's bytes. */
function othersOf(clientId: string): string[] {
  const number = Number(clientId.slice('bench-x'.length));
  if (clientId.startsWith('bench-s')) return [`bench-p${number % publishers}`];
  if (copies === 1) return [`bench-s${number % subscribers}`];
  return Array.from({ length: subscribers }, (_, i) => `bench-s${i}`);
}

function accept(connection: Connection): void {
  let others: Connection[] | undefined;
  let clientId = '';
  connection.onBytes = (bytes, length) => {
    const first = bytes[0]! & 0xf0;
    if (others === undefined && first === 0x10) {
      clientId = bytes.toString('utf8', 14, 14 + bytes.readUInt16BE(12));
      clients.set(clientId, connection);
      connection.write(CONNACK);
      return;
    }
    if (others === undefined && first === 0x80) {
      connection.write(SUBACK);
      return;
    }
    others ??= othersOf(clientId).flatMap((id) => clients.get(id) ?? []);
    const chunk = Buffer.from(bytes.subarray(0, length));
    for (const other of others) other.write(chunk);
  };
}

listen(port, accept);
