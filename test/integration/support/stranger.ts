// A program of someone on the same network who has no token: prints what the network delivers to it, and
// with `replay` or `flood` sends recorded or random beacons from its own address.
// Lines: `multicast FROM HEX`, `broadcast FROM HEX`, `unicast FROM HEX`.
// Run as: stranger.ts ADDRESS [listen|replay|flood]

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';

const [, , address = '', mode = 'listen'] = process.argv;
const PORT = 7946;
const GROUP = '239.255.83.72';
const BROADCAST = address.replace(/\d+$/, '255');
const REPEATS = 20;
const FLOOD_PER_TICK = 100;

function listen(kind: string, target: string): dgram.Socket {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (datagram, from) => {
    process.stdout.write(`${kind} ${from.address} ${datagram.toString('hex')}\n`);
    if (mode === 'replay' && kind !== 'unicast' && from.address !== address) replay(datagram);
  });
  socket.bind(PORT, target, () => {
    if (kind === 'multicast') socket.addMembership(GROUP, address);
  });
  return socket;
}

function replay(datagram: Buffer): void {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    own.send(datagram, PORT, GROUP);
    own.send(datagram, PORT, BROADCAST);
  }
}

listen('multicast', GROUP);
listen('broadcast', BROADCAST);
const own = listen('unicast', address);
own.on('listening', () => {
  own.setMulticastInterface(address);
  own.setMulticastLoopback(false);
  own.setBroadcast(true);
  process.stdout.write('listening\n');
  if (mode !== 'flood') return;
  setInterval(() => {
    for (let count = 0; count < FLOOD_PER_TICK; count++) {
      own.send(Buffer.concat([Buffer.from('534201', 'hex'), randomBytes(77)]), PORT, GROUP);
    }
  }, 5);
});
