// Sends datagrams to one UDP port as fast as it can until it is killed. flood.ts runs it.
// Arguments: port, file with the datagrams (each after a 2-byte length).

import dgram from 'node:dgram';
import { readFileSync } from 'node:fs';

const port = Number(process.argv[2]);
const file = readFileSync(process.argv[3] ?? '');
const datagrams: Buffer[] = [];
for (let at = 0; at < file.length; ) {
  const size = file.readUInt16BE(at);
  datagrams.push(file.subarray(at + 2, at + 2 + size));
  at += 2 + size;
}
const socket = dgram.createSocket('udp4');
socket.on('error', () => undefined);
socket.connect(port, '127.0.0.1', () => {
  let sent = 0;
  process.on('SIGTERM', () => {
    process.send?.(sent);
    process.exit(0);
  });
  const burst = (): void => {
    for (let i = 0; i < 100; i++) socket.send(datagrams[sent++ % datagrams.length] ?? '');
    setImmediate(burst);
  };
  burst();
});
