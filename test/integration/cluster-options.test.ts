// Clusters with other options than the default, and nodes whose options differ: which messages cross,
// and what the log says. On loopback.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { describe } from 'node:test';
import { allSeeEachOther, type Node, type Scenario, scenario } from './support/scenario.ts';

/** Strong: a comma between weak tokens is refused. */
const OLD = '0c5b9e2f4a7d18c36b0e95f2a4d7c81e';
const NEW = '7e1d4b82f96a03c5d8e27f4b16a90c3d';

describe('cluster options', { concurrency: 3 }, () => {
  scenario('with -encrypt on all nodes messages cross', async (scene) => {
    const [n1, n2] = await two(scene, ['-encrypt'], ['-encrypt']);
    await allSeeEachOther([n1, n2]);
    await messageCrosses(scene, n1, n2);
    await messageCrosses(scene, n2, n1);
  });

  scenario('nodes that differ in -encrypt say so', async (scene) => {
    const [n1, n2] = await two(scene, ['-encrypt'], []);
    await n1.process.waitFor(/another setting of -encrypt.*address=127\.0\.0\.1/);
    assert.doesNotMatch(n1.process.output + n2.process.output, /cluster online/);
  });

  scenario('a token is changed node by node without a gap', async (scene) => {
    const steps = [
      [OLD, `${OLD},${NEW}`],
      [`${OLD},${NEW}`, `${NEW},${OLD}`],
      [`${NEW},${OLD}`, NEW],
    ] as const;
    const pairs = steps.map(([one, other]) => two(scene, [`-csk=${one}`], [`-csk=${other}`]));
    for (const [n1, n2] of await Promise.all(pairs)) {
      await allSeeEachOther([n1, n2]);
      await messageCrosses(scene, n1, n2);
      await messageCrosses(scene, n2, n1);
    }
  });

  scenario('SIGHUP takes over another token from -csk-file while messages go on', async (scene) => {
    const files = ['n1', 'n2'].map((name) => scene.file(`${name}.csk`, `${OLD}\n`));
    const [n1, n2] = await two(scene, [`-csk-file=${files[0]}`], [`-csk-file=${files[1]}`]);
    await allSeeEachOther([n1, n2]);
    const [publisher, subscriber] = await Promise.all([scene.client(n1), scene.client(n2)]);
    await subscriber.subscribe('n');
    let sent = 0;
    const ticker = setInterval(() => void publisher.publish('n', String(sent++), { qos: 1 }), 5);
    for (const tokens of [`${OLD}\n${NEW}\n`, `${NEW}\n${OLD}\n`, NEW]) {
      for (const [index, node] of [n1, n2].entries()) {
        writeFileSync(files[index] ?? '', tokens);
        const from = node.process.lineCount;
        node.process.signal('SIGHUP');
        await node.process.waitFor(/configuration reloaded/, undefined, from);
        const passed = sent + 20;
        await subscriber.arrival('n', ({ text }) => Number(text) >= passed);
      }
    }
    clearInterval(ticker);
    await subscriber.arrival('n', ({ text }) => Number(text) === sent - 1);
    const numbers = subscriber.texts('n').map(Number);
    assert.deepEqual(
      numbers,
      Array.from({ length: sent }, (_, number) => number),
    );
    assert.doesNotMatch(scene.logs, /cluster (suspect|offline)/);
    const stranger = await scene.startLocal(
      'n3',
      `-mbs=${await n1.process.gossipAddress()}`,
      `-csk=${OLD}`,
    );
    await stranger.process.waitFor(/no other node answers/);
    await n1.process.waitFor(/another cluster token/);
  });

  scenario('-topics keeps other topics on their node and counts them', async (scene) => {
    const flags = ['-topics=out/#', '-sys-interval=1'];
    const [n1, n2] = await two(scene, flags, flags);
    await allSeeEachOther([n1, n2]);
    const [publisher, near, far] = await Promise.all(
      [n1, n1, n2].map((node) => scene.client(node)),
    );
    assert.ok(publisher !== undefined && near !== undefined && far !== undefined);
    await Promise.all(
      [near, far].map((client) => client.subscribe(['#', '$SYS/broker/cluster/#'])),
    );
    await publisher.publish('home/a', 'x', { qos: 1 });
    await publisher.publish('out/a', 'x', { qos: 1 });
    await Promise.all([near.arrival('home/a'), near.arrival('out/a'), far.arrival('out/a')]);
    await near.arrival('$SYS/broker/cluster/sync/filteredMessages', ({ text }) => text === '1');
    assert.deepEqual(far.texts('home/a'), []);
  });

  scenario(
    '$SYS shows each member with its state and traffic, and events as they happen',
    async (scene) => {
      const [n1, n2] = await two(scene, ['-sys-interval=1'], []);
      await allSeeEachOther([n1, n2]);
      const client = await scene.client(n1);
      await client.subscribe('$SYS/broker/cluster/#');
      const shown = (topic: string, text: string) =>
        client.arrival(`$SYS/broker/cluster/members/${topic}`, (arrival) => arrival.text === text);
      await messageCrosses(scene, n1, n2);
      await Promise.all([
        shown('n1/state', 'alive'),
        shown('n2/state', 'alive'),
        shown('n2/sync/in', 'ok'),
        shown('n2/sync/out', 'ok'),
        shown('n2/sent', '1'),
        shown('n2/lost/in', '0'),
        shown('n2/lost/out', '0'),
        shown('n2/address', await n2.process.gossipAddress()),
      ]);
      n2.process.signal('SIGTERM');
      const event = await client.arrival('$SYS/broker/cluster/event', ({ text }) =>
        text.includes('"left"'),
      );
      const { reason, ...rest } = JSON.parse(event.text);
      assert.ok(reason.length > 0);
      assert.deepEqual(rest, {
        event: 'left',
        node: 'n2',
        address: await n2.process.gossipAddress(),
      });
      assert.equal(event.packet.retain, false);
      await shown('n2/state', 'left');
    },
  );

  scenario('random datagrams on both ports have no effect', async (scene) => {
    const [n1, n2] = await two(scene, ['-sys-interval=1'], []);
    await allSeeEachOther([n1, n2]);
    const client = await scene.client(n1);
    await client.subscribe(['#', '$SYS/broker/cluster/#']);
    const gossipPort = Number((await n1.process.gossipAddress()).split(':').at(-1));
    const socket = createSocket('udp4');
    for (const port of [gossipPort, await n1.process.syncPort()]) {
      for (let number = 0; number < 2000; number++) {
        const datagram = randomBytes(number % 1400);
        // Half of them begin like real ones.
        if (number % 2 === 0) datagram.write('SH\u0001');
        await new Promise((done) => socket.send(datagram, port, '127.0.0.1', done));
      }
    }
    socket.close();
    await client.arrival('$SYS/broker/cluster/gossip/foreign', ({ text }) => Number(text) > 500);
    const dropped = '$SYS/broker/cluster/sync/droppedDatagrams/foreign';
    await client.arrival(dropped, ({ text }) => Number(text) > 500);
    await messageCrosses(scene, n2, n1);
    await client.arrival('crossing');
    const own = client.arrivals.filter(({ topic }) => !topic.startsWith('$'));
    assert.equal(own.length, 1);
    assert.doesNotMatch(scene.logs, /cluster (suspect|offline)/);
  });
});

/** Two nodes, of which the second has the first as its seed; their options may differ. */
async function two(
  scene: Scenario,
  first: readonly string[],
  second: readonly string[],
): Promise<[Node, Node]> {
  const n1 = await scene.startLocal('n1', ...first);
  const n2 = await scene.startLocal('n2', `-mbs=${await n1.process.gossipAddress()}`, ...second);
  return [n1, n2];
}

async function messageCrosses(scene: Scenario, from: Node, to: Node): Promise<void> {
  const [publisher, subscriber] = await Promise.all([scene.client(from), scene.client(to)]);
  await subscriber.subscribe('crossing');
  await publisher.publish('crossing', 'x', { qos: 1 });
  await subscriber.arrival('crossing');
}
