// Nodes that die, leave, hang, or come with a name or a token that they may not have: what the
// others say and do. On loopback, with the default periods.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Node, restartFlags, type Scenario, scenario } from './support/scenario.ts';

/** Three rounds of a second; the others must have been chosen for a ping first. */
const OFFLINE_MS_MIN = 2000;
const OFFLINE_MS_MAX = 15_000;
/** A suspicion that no node refutes marks a member offline after this time, without any periods. */
const UNREFUTED_MS = 10_000;
/** Word of it, not rounds without an answer. */
const LEFT_MS_MAX = 2500;
const NAME_IN_USE = 4;

describe('membership', { concurrency: 3 }, () => {
  scenario(
    'a killed node is offline after three rounds and comes back by itself',
    async (scene, context) => {
      const [n1, n2, n3] = await threeNodes(scene);
      const flags = await restartFlags(n3);
      const faithful = await scene.client(n3, { reconnectPeriod: 100 });
      await faithful.subscribe('to/faithful', 1);
      const survivors = [n1, n2];
      const killedAt = performance.now();
      await n3.process.kill();
      for (const node of survivors) {
        await node.sees('suspect', n3, { msMax: OFFLINE_MS_MAX });
        await node.sees('offline', n3, { msMax: OFFLINE_MS_MAX });
      }
      const tookMs = performance.now() - killedAt;
      context.diagnostic(`offline after ${Math.round(tookMs)} ms`);
      assert.ok(tookMs > OFFLINE_MS_MIN && tookMs < UNREFUTED_MS, `offline after ${tookMs} ms`);
      await messageCrosses(scene, n1, n2);

      const marks = survivors.map((node) => node.mark());
      const returned = faithful.connected({ retrying: true });
      const again = await scene.startLocal('n3', ...flags);
      await returned;
      await Promise.all(survivors.map((node, index) => node.sees('online', n3, marks[index])));
      await Promise.all(survivors.map((node) => again.sees('online', node)));
      await messagesReachReturned(scene, n1, again);
      await messageCrosses(scene, again, n2);
      const publisher = await scene.client(n1);
      await publisher.publish('to/faithful', 'x', { qos: 1 });
      await faithful.arrival('to/faithful');
    },
  );

  scenario('a node that is killed and started at once keeps its name', async (scene, context) => {
    const [n1, n2, n3] = await threeNodes(scene);
    const seed = `-mbs=${await n1.process.gossipAddress()}`;
    // First on the ports that it had, as a service does; then on others.
    let killed = n3;
    for (const flags of [await restartFlags(n3), []]) {
      const marks = [n1, n2].map((node) => node.process.lineCount);
      const startedAt = performance.now();
      await killed.process.kill();
      const again = await scene.startLocal('n3', seed, ...flags);
      const place = await again.process.gossipAddress();
      const isBack = new RegExp(`cluster (online|updated) n3 ${place}`);
      await Promise.all(
        [n1, n2].map(({ process }, index) => process.waitFor(isBack, OFFLINE_MS_MAX, marks[index])),
      );
      context.diagnostic(`back after ${Math.round(performance.now() - startedAt)} ms`);
      await messagesReachReturned(scene, n1, again);
      await messageCrosses(scene, again, n2);
      assert.ok(again.process.running, 'not refused');
      killed = again;
    }
  });

  scenario('a node that gets SIGTERM leaves at once', async (scene) => {
    const [n1, n2, n3] = await threeNodes(scene);
    n3.process.signal('SIGTERM');
    await Promise.all([n1, n2].map((node) => node.sees('left', n3, { msMax: LEFT_MS_MAX })));
    assert.deepEqual(await n3.process.exited, { code: 0, signal: null });
    assert.doesNotMatch(n1.process.output + n2.process.output, /cluster (suspect|offline)/);
    await messageCrosses(scene, n1, n2);
  });

  scenario('a node that hangs costs the others nothing, and comes back', async (scene) => {
    const [n1, n2, n3] = await threeNodes(scene);
    const subscriber = await scene.client(n2);
    const publisher = await scene.client(n1);
    await subscriber.subscribe('work', 1);
    n3.process.signal('SIGSTOP');
    // More than the hanging node's sockets can hold.
    const payload = 'x'.repeat(3900);
    let worstMs = 0;
    for (let number = 0; number < 1000; number++) {
      const startedAt = performance.now();
      await publisher.publish('work', `${number} ${payload}`, { qos: 1 });
      await subscriber.until(() => subscriber.arrivals.length > number, `message ${number}`);
      worstMs = Math.max(worstMs, performance.now() - startedAt);
    }
    assert.ok(worstMs < 1000, `a message took ${worstMs} ms`);
    const numbers = subscriber.texts('work').map((text) => Number.parseInt(text, 10));
    assert.deepEqual(numbers, [...numbers.keys()], 'each once, in order');
    await Promise.all([n1, n2].map((node) => node.sees('offline', n3, { msMax: OFFLINE_MS_MAX })));
    const marks = [n1, n2].map((node) => node.mark());
    n3.process.signal('SIGCONT');
    await Promise.all([n1, n2].map((node, index) => node.sees('online', n3, marks[index])));
    await messageCrosses(scene, n1, n3);
    await messageCrosses(scene, n3, n2);
    assert.doesNotMatch(
      n3.process.output,
      /cluster offline/,
      'it blames no other node for its own stall',
    );
  });

  scenario(
    'a second node with a name in use is refused, learns the holder, and disturbs no node',
    async (scene) => {
      const nodes = await threeNodes(scene);
      const [n1, n2] = nodes;
      const marks = nodes.map((node) => node.mark());
      for (const seed of [n1, n2]) {
        const intruder = scene.launch('n2', `-mbs=${await seed.process.gossipAddress()}`);
        const { code } = await intruder.process.exited;
        const { output } = intruder.process;
        assert.equal(code, NAME_IN_USE, output);
        const holder = await n2.process.gossipAddress();
        assert.ok(output.includes(`name n2 is in use by the node at ${holder}`));
        assert.match(output, /choose another name with -nid/);
      }
      await messageCrosses(scene, n1, n2);
      await messageCrosses(scene, n2, nodes[2]);
      for (const [index, node] of nodes.entries()) {
        const { from } = marks[index] ?? { from: 0 };
        const news = node.process.output.split('\n').slice(from).join('\n');
        assert.doesNotMatch(news, /event="cluster/, `${node.name} noticed nothing`);
      }
    },
  );

  scenario('of two nodes that come at once with one name, one is refused', async (scene) => {
    const nodes = await threeNodes(scene);
    const seed = `-mbs=${await nodes[0].process.gossipAddress()}`;
    const twins = [scene.launch('twin', seed), scene.launch('twin', seed)];
    const exits = twins.map((twin) => twin.process.exited);
    const { code } = await Promise.race(exits);
    assert.equal(code, NAME_IN_USE);
    const [left] = twins.filter((twin) => twin.process.running);
    assert.ok(left !== undefined, 'one of them runs');
    await left.process.mqttPort();
    await Promise.all(nodes.map((node) => node.sees('online', 'twin')));
    await messageCrosses(scene, left, nodes[1]);
    await messageCrosses(scene, nodes[2], left);
  });

  scenario('a node with another token finds no member and is counted', async (scene) => {
    const nodes = await threeNodes(scene, '-sys-interval=1');
    const [n1, n2] = nodes;
    const seeds = await Promise.all(nodes.map((node) => node.process.gossipAddress()));
    const stranger = await scene.startLocal('n4', '-csk=wrong', `-mbs=${seeds.join(',')}`);
    const from = await stranger.process.gossipAddress();
    for (const node of nodes) {
      const mismatch = `another cluster token .* address=${from} `;
      await node.process.waitFor(new RegExp(mismatch));
      const watcher = await scene.client(node);
      await watcher.subscribe('$SYS/broker/cluster/#');
      await watcher.arrival('$SYS/broker/cluster/gossip/unknownKey', ({ text }) => +text >= 3);
      assert.equal(watcher.texts('$SYS/broker/cluster/members/alive').at(-1), '3');
    }
    const outside = await scene.client(stranger);
    const inside = await scene.client(n2);
    await outside.subscribe('#');
    await inside.subscribe('#');
    await outside.publish('from/outside', 'x', { qos: 1 });
    const publisher = await scene.client(n1);
    await publisher.publish('from/inside', 'x', { qos: 1 });
    await inside.arrival('from/inside');
    await outside.publish('end', 'x', { qos: 1 });
    await outside.arrival('end');
    assert.deepEqual(
      outside.arrivals.map(({ topic }) => topic),
      ['from/outside', 'end'],
    );
    assert.deepEqual(
      inside.arrivals.map(({ topic }) => topic),
      ['from/inside'],
    );
    await stranger.process.waitFor(/no other node answers yet/);
    assert.doesNotMatch(stranger.process.output, /cluster online/);
    assert.doesNotMatch(scene.logs, /cluster \w+ n4/);
  });
});

async function threeNodes(scene: Scenario, ...flags: string[]): Promise<[Node, Node, Node]> {
  const [n1, n2, n3] = await scene.localCluster(3, ...flags);
  assert.ok(n1 !== undefined && n2 !== undefined && n3 !== undefined);
  return [n1, n2, n3];
}

let crossings = 0;

async function messageCrosses(scene: Scenario, from: Node, to: Node): Promise<void> {
  const { publisher, subscriber, topic } = await crossing(scene, from, to);
  await publisher.publish(topic, 'x', { qos: 1 });
  await subscriber.arrival(topic);
}

/** Publishes until a message arrives: what is sent in the first moments of a return may be lost. */
async function messagesReachReturned(scene: Scenario, from: Node, to: Node): Promise<void> {
  const { publisher, subscriber, topic } = await crossing(scene, from, to);
  const publish = (): unknown => publisher.mqtt.publish(topic, 'x', { qos: 1 });
  const publishing = setInterval(publish, 200);
  try {
    publish();
    await subscriber.arrival(topic);
  } finally {
    clearInterval(publishing);
  }
}

async function crossing(scene: Scenario, from: Node, to: Node) {
  crossings += 1;
  const topic = `crossing/${crossings}`;
  const [publisher, subscriber] = await Promise.all([scene.client(from), scene.client(to)]);
  await subscriber.subscribe(topic);
  return { publisher, subscriber, topic };
}
