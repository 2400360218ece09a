// Processor time of a node's socket for each datagram of 1400 bytes to 1, 2, 4 and 8 others: a send to each, and one
// send to a group, alternately. The others are in network namespaces on one bridge. Needs root.
//   node --import tsx test/bench/micro-multicast.ts

import { UdpSocket } from '../../src/net/cluster/udp.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { Network } from '../support/network.ts';
import { WatchedProcess } from '../support/watched-process.ts';

const GROUP = '239.192.83.72';
const PORT = 7947;
const PEERS = [1, 2, 4, 8];
const ROUNDS = 7;
const DATAGRAMS = 5000;
const TURN_DATAGRAMS = 20;
const [role, ...addresses] = process.argv.slice(2);

if (role === 'send') await send();
else if (role === 'receive') await receive();
else await start();

/** Starts one receiver in each namespace, and the sender. */
async function start(): Promise<void> {
  const hosts = Array.from({ length: Math.max(...PEERS) + 1 }, (_, index) => index);
  const network = new Network(
    Object.fromEntries(hosts.map((index) => [`box${index}`, [`192.168.1.${101 + index}`]])),
  );
  const run = (index: number, ...words: string[]): WatchedProcess =>
    new WatchedProcess([process.execPath, '--import', 'tsx', import.meta.filename, ...words], {
      via: network.via(`box${index}`),
    });
  const receivers = hosts
    .slice(1)
    .map((index) => run(index, 'receive', network.address(`box${index}`)));
  try {
    for (const receiver of receivers) await receiver.waitFor(/ready/, 60_000);
    const all = hosts.map((index) => network.address(`box${index}`));
    const sender = run(0, 'send', ...all);
    await sender.waitFor(/done/, 300_000);
    console.log(sender.output);
  } finally {
    for (const receiver of receivers) await receiver.kill();
    network.destroy();
  }
}

async function receive(): Promise<void> {
  const socket = await open(undefined, PORT);
  socket.joinGroup(GROUP, addresses[0]!);
  console.log('ready');
}

async function send(): Promise<void> {
  const [own, ...others] = addresses as [string, ...string[]];
  const unicast = await open(undefined, PORT);
  const group = await open(own, 0);
  group.sendThrough(own);
  for (const peers of PEERS) {
    const targets = others.slice(0, peers).map((address) => ({ address, port: PORT }));
    const times: number[][] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      times[0]!.push(
        await microseconds((datagram) => {
          for (const target of targets) unicast.send(datagram, target);
        }),
      );
      times[1]!.push(
        await microseconds((datagram) => group.send(datagram, { address: GROUP, port: PORT })),
      );
    }
    const [each, one] = times.map((all) => all.toSorted((a, b) => a - b)[ROUNDS >> 1]!.toFixed(1));
    console.log(`${peers} peers: unicast ${each} us, multicast to all 8 ${one} us`);
  }
  console.log('done');
  process.exit();
}

/** @returns processor time of this process for each datagram */
async function microseconds(sendOne: (datagram: Buffer) => void): Promise<number> {
  const before = process.cpuUsage();
  for (let sent = 0; sent < DATAGRAMS; sent += TURN_DATAGRAMS) {
    for (let i = 0; i < TURN_DATAGRAMS; i++) sendOne(Buffer.alloc(1400));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / DATAGRAMS;
}

function open(bind: string | undefined, port: number): Promise<UdpSocket> {
  return UdpSocket.open({
    bind,
    port,
    flag: '-csp',
    receiveBufferBytes: 1 << 20,
    log: silentLogger,
    onDatagram: () => undefined,
  });
}
