// File descriptors and connections at their limits, on the built bundle: the node goes on serving the
// clients that it has, says what is wrong, and says when it is well again. Linux only.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RawClient } from '../support/raw-client.ts';
import { loopbackFlags, ShoalProcess } from '../support/shoal-process.ts';
import { connect, decode, PINGREQ, subscribe } from '../support/wire.ts';

const CONNACK_BYTES = 4;
const PINGRESP_BYTES = 2;
const ESTABLISHED = '01';
const KEEP_ALIVE_TIMER = '02';

const isLinux = process.platform === 'linux';

async function withShoal(
  flags: readonly string[],
  body: (shoal: ShoalProcess) => Promise<void>,
  via?: readonly string[],
): Promise<void> {
  const settings = via === undefined ? {} : { via };
  const shoal = new ShoalProcess(loopbackFlags('n1', ...flags), settings);
  try {
    await body(shoal);
  } finally {
    await shoal.kill();
  }
}

async function connected(port: number, clientId: string): Promise<RawClient> {
  const client = RawClient.tcp(port, connect({ version: 4, clientId }));
  await client.bytes(CONNACK_BYTES);
  return client;
}

/** The client is answered, so the node serves it. */
async function isServed(client: RawClient): Promise<void> {
  const before = client.received.length;
  client.stream.write(PINGREQ);
  await client.bytes(before + PINGRESP_BYTES);
}

/** The payload of the PUBLISH that came last. */
function lastValue({ received }: RawClient): number {
  const published = decode(4, received).packets.filter(({ type }) => type === 'publish');
  return Number(published.at(-1)?.payload ?? 0);
}

function limitDescriptors(pid: number, soft: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${soft}:`]);
}

test('connections beyond the file descriptors are dropped, and the node serves on', {
  skip: !isLinux,
}, async () => {
  const via = ['sh', '-c', 'ulimit -n 60; exec "$@"', 'sh'];
  const flags = ['-sys-interval=1s'];
  await withShoal(
    flags,
    async (shoal) => {
      const port = await shoal.mqttPort();
      const [, fits] = await shoal.waitFor(
        /descriptors allows fewer connections.* connections=(\d+)/,
      );
      assert.ok(Number(fits) >= 8, `${fits} connections`);
      const client = await connected(port, 'served');
      client.stream.write(subscribe(4, 1, ['$SYS/broker/listeners/dropped']));
      const silent = Array.from({ length: 60 }, () => RawClient.tcp(port));
      await shoal.waitFor(/connection dropped: the limit of file descriptors is reached/);
      await isServed(client);
      // A round of $SYS, which once opened a file, comes after the descriptors are used up.
      while (lastValue(client) < 60 - Number(fits)) {
        await client.bytes(client.received.length + 1);
      }
      for (const one of silent) one.destroy();
      await shoal.waitFor(/connections are accepted again/);
      (await connected(port, 'later')).destroy();
      client.destroy();
    },
    via,
  );
});

test('without any file descriptor left the node serves on, and says so', {
  skip: !isLinux,
}, async () => {
  await withShoal(['-sys-interval=1s'], async (shoal) => {
    const port = await shoal.mqttPort();
    const client = await connected(port, 'served');
    limitDescriptors(shoal.pid, 10);
    RawClient.tcp(port).destroy();
    await shoal.waitFor(/no file descriptor is left/);
    await isServed(client);
    limitDescriptors(shoal.pid, 1000);
    await shoal.waitFor(/file descriptors are free again/);
    (await connected(port, 'later')).destroy();
    client.destroy();
  });
});

test('ten clients at max-connections that all reconnect at once are accepted, in each of 20 rounds', async () => {
  await withShoal(['-max-connections=10'], async (shoal) => {
    const port = await shoal.mqttPort();
    const connectAll = (round: number): Promise<RawClient[]> =>
      Promise.all(Array.from({ length: 10 }, (_, index) => connected(port, `r${round}-${index}`)));
    let clients = await connectAll(0);
    for (let round = 1; round <= 20; round++) {
      for (const client of clients) client.destroy();
      clients = await connectAll(round);
    }
    const eleventh = RawClient.tcp(port);
    await eleventh.ended();
    for (const client of clients) client.destroy();
  });
});

test('the system watches every accepted connection with TCP keep-alive', {
  skip: !isLinux,
}, async () => {
  await withShoal([], async (shoal) => {
    const port = await shoal.mqttPort();
    const client = await connected(port, 'c1');
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const timers = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, address, , state]) => address?.endsWith(local) && state === ESTABLISHED)
      .map(([, , , , , timer]) => timer?.slice(0, 2));
    assert.deepEqual(timers, [KEEP_ALIVE_TIMER]);
    client.destroy();
  });
});
