// Fuzz targets: what nodes send each other. Everything is authentic, so that the fuzzer is a node that has the token and
// is broken or hostile. Outsiders stop at the MAC (sync-attack.test.ts, gossip-body.test.ts, beacon.test.ts).

import assert from 'node:assert/strict';
import { Beacon } from '../../../src/discovery/beacon.ts';
import { decodeBeacon, encodeBeacon } from '../../../src/discovery/beacon-codec.ts';
import { formatInvitation, parseInvitation } from '../../../src/discovery/invitation.ts';
import type { PublishView } from '../../../src/mqtt/publish-view.ts';
import { RoamingSessions } from '../../../src/node/replication/roaming-sessions.ts';
import { SessionKind } from '../../../src/node/replication/session-codec.ts';
import { isQuery } from '../../../src/query/codec.ts';
import { ASKED_MAX, SERVED_MAX } from '../../../src/query/limits.ts';
import { QueryNode } from '../../../src/query/query-node.ts';
import { silentLogger } from '../../../src/shared/logger.ts';
import { MEMBERS_MAX } from '../../../src/swim/member-table.ts';
import { BulkNode } from '../../../src/sync/bulk-node.ts';
import { ClientCluster } from '../../support/client-cluster.ts';
import { victimOf } from '../../support/hostile-peer.ts';
import { World } from '../../support/mqtt-world.ts';
import { type SimNode, Simulator, settledCluster } from '../../support/simulator.ts';
import { syncKeys } from '../../support/sync-fixtures.ts';
import { type FuzzTarget, sources } from '../engine/target.ts';

const DATAGRAM_BYTES = 1160;
/** Inputs that meet the same state. */
const INPUTS_PER_SCENE = 500;
const PEER = { name: 'peer', bootId: 2n, endpoint: { address: '10.0.0.2', port: 7947 } };

/** Makes a new scene now and then, so that a fault shows with few inputs before it. */
function inScenes<T>(make: () => T, run: (scene: T, input: Buffer) => void): FuzzTarget['run'] {
  let scene: T | undefined;
  let left = 0;
  return (input) => {
    if (scene === undefined || left === 0) {
      scene = make();
      left = INPUTS_PER_SCENE;
    }
    left -= 1;
    run(scene, input);
  };
}

const gossip: FuzzTarget = {
  name: 'gossip',
  what: 'bodies of gossip datagrams (port 7946)',
  bytesMax: DATAGRAM_BYTES,
  words: ['n1', 'n2', 'n3'],
  covers: sources('/swim/'),
  run: inScenes(
    () => {
      const sim = new Simulator(1);
      sim.isHostile = true;
      return { sim, nodes: settledCluster(sim, 3) };
    },
    ({ sim, nodes }, input) => {
      const [victim, hostile] = nodes as [SimNode, SimNode];
      hostile.counter += 1;
      sim.inject(victim, hostile.options.endpoint, hostile.bootId, hostile.counter, input);
      sim.runFor(20);
      assert.ok(victim.swim.table.size <= MEMBERS_MAX);
      const sent = nodes.reduce((sum, node) => sum + node.sent, 0);
      assert.ok(sent < 10_000, `${sent} datagrams were sent`);
    },
  ),
};

const keys = await syncKeys('token');

const sync: FuzzTarget = {
  name: 'sync',
  what: 'bodies of sync datagrams (port 7947), in the order of the stream',
  bytesMax: 1344,
  words: ['a/b', '$SYS', '#', Buffer.from([0x30, 5, 0, 1, 97, 0, 120])],
  covers: sources('/sync/'),
  run: inScenes(
    () => victimOf(keys),
    ({ node, peer }, input) => {
      const [first = 0] = input;
      const body = input.subarray(1);
      const now = peer.sequence;
      if (first % 4 === 0) node.receive(peer.raw(body), now);
      else node.receive(peer.data(body, first % 4 === 1 ? 0 : first), now);
      peer.sequence += 1;
      peer.number += first >> 6;
      node.advance(now);
    },
  ),
};

/** @returns what the node took from the connection, in its order */
function bulkFrames(input: Buffer, chunkBytes: number): string[] {
  const taken: string[] = [];
  const take = (kind: string, { buffer, start, end }: PublishView): void => {
    assert.ok(end <= buffer.length);
    taken.push(`${kind} ${buffer.toString('hex', start, end)}`);
  };
  let isOpen = true;
  const node = new BulkNode({
    bootId: 1n,
    publishBytesMax: 2000,
    log: silentLogger,
    now: 0,
    handler: { publishFromPeer: (view) => take('message', view) },
    repairHandler: {
      repairFromPeer: (view) => take('repair', view),
      blockFromPeer: () => taken.push('block'),
    },
    dial: () => ({ write: () => true, close: () => undefined }),
  });
  node.onFrame = (_peer, kind, body) => taken.push(`${kind} ${body.toString('hex')}`);
  node.setPeers([PEER], 0);
  const events = node.accept(
    {
      write: () => true,
      close: () => {
        isOpen = false;
      },
    },
    0,
  );
  for (let at = 0; at < input.length && isOpen; at += chunkBytes) {
    events.received(Buffer.from(input.subarray(at, at + chunkBytes)), 1);
  }
  node.advance(10_000);
  return taken;
}

const bulk: FuzzTarget = {
  name: 'bulk',
  what: 'bytes of a connection of another node (-large, -roaming), whole and byte by byte',
  bytesMax: 700,
  words: ['a/b', Buffer.from([0, 0, 0, 9]), Buffer.from([0x30, 5, 0, 1, 97, 0, 120])],
  covers: sources('/sync/bulk', '/sync/repair'),
  run: (input) => {
    const whole = bulkFrames(input, input.length + 1);
    assert.deepEqual(bulkFrames(input, 1), whole, 'byte by byte brings other frames');
    assert.deepEqual(bulkFrames(input, 13), whole, 'chunks bring other frames');
  },
};

const replica: FuzzTarget = {
  name: 'replica',
  what: 'digests, requests and blocks of replicated maps, by gossip',
  bytesMax: 1100,
  words: ['a/b', 'client'],
  covers: sources('/replica/', '/node/replication/'),
  run: inScenes(
    () => {
      const cluster = new ClientCluster(2, 1);
      cluster.pass(2000);
      for (const { world } of cluster.nodes)
        world.connect('client').publish('a/b', 'x', { retain: true });
      cluster.pass(2000);
      return cluster;
    },
    (cluster, input) => {
      const [victim, hostile] = cluster.nodes;
      const [first = 0] = input;
      const { replication } = victim!;
      const bytes = Buffer.from(input.subarray(1));
      if (first % 8 === 0) replication.handleState(hostile!.bootId, bytes, cluster.now);
      else replication.handleMessage(hostile!.bootId, bytes, cluster.now);
      cluster.pass(5);
    },
  ),
};

const query: FuzzTarget = {
  name: 'query',
  what: 'requests and replies between nodes, by gossip',
  bytesMax: 1100,
  words: [],
  covers: sources('/query/'),
  run: inScenes(
    () => {
      const node = new QueryNode({
        send: () => undefined,
        rttMs: () => undefined,
        replied: () => undefined,
        failed: () => undefined,
        requested: () => undefined,
        abandoned: () => undefined,
        refused: () => undefined,
      });
      node.setMembers(0, [2n]);
      node.ask(0, 2n, Buffer.from('request'), 60_000);
      return { node, now: 0 };
    },
    (scene, input) => {
      scene.now += 10;
      isQuery(input);
      scene.node.handle(scene.now, 2n, input);
      if (scene.node.deadline <= scene.now) scene.node.advance(scene.now);
      const { asked, served } = scene.node.openWork;
      assert.ok(asked <= ASKED_MAX && served <= SERVED_MAX);
    },
  ),
};

const roaming: FuzzTarget = {
  name: 'roaming',
  what: 'frames about sessions that follow their client (-roaming)',
  bytesMax: 600,
  words: ['device', 'a/b'],
  covers: sources('/node/replication/', '/storage/record'),
  run: inScenes(
    () => {
      const { broker } = new World();
      const sessions = new RoamingSessions({
        bootId: 1n,
        broker,
        now: () => 0,
        later: () => undefined,
        channel: { send: () => true },
        places: { writerOf: () => undefined, claim: () => undefined },
      });
      sessions.setPeers([PEER]);
      sessions.obtain(
        { clientId: 'device', username: undefined, grant: undefined },
        () => undefined,
      );
      return sessions;
    },
    (sessions, input) => {
      const kinds = Object.values(SessionKind);
      sessions.receive(
        PEER,
        kinds[(input[0] ?? 0) % kinds.length]!,
        Buffer.from(input.subarray(1)),
      );
    },
  ),
};

const beacon: FuzzTarget = {
  name: 'beacon',
  what: 'bodies of beacons',
  bytesMax: 64,
  words: [],
  covers: sources('/discovery/'),
  run: inScenes(
    () => {
      const port = {
        call: () => undefined,
        answer: () => undefined,
        found: () => undefined,
        memberOf: () => undefined,
        onlineBoots: () => [],
      };
      const node = new Beacon({ bootId: 1n, gossipPort: 7946, random: () => 0.5 }, port, 0);
      node.setLinks(0, [{ address: '192.168.1.1', prefixBits: 24 }]);
      return { node, now: 0 };
    },
    (scene, input) => {
      scene.now += 10;
      const message = decodeBeacon(input);
      if (message === undefined) return;
      assert.deepEqual(decodeBeacon(encodeBeacon(message)), message);
      scene.node.handle(scene.now, { address: '192.168.1.9', port: 7946 }, message);
      if (scene.node.deadline <= scene.now) scene.node.advance(scene.now);
    },
  ),
};

const invitation: FuzzTarget = {
  name: 'invitation',
  what: 'lines of shoal invite',
  bytesMax: 300,
  words: ['SHOAL-', '-', ' ', 'A', '7'],
  covers: sources('/discovery/invitation'),
  run: (input) => {
    const found = parseInvitation(input.toString('latin1'));
    if (found === undefined) return;
    assert.deepEqual(parseInvitation(formatInvitation(found)), found);
  },
};

export const clusterTargets: readonly FuzzTarget[] = [
  gossip,
  sync,
  bulk,
  replica,
  query,
  roaming,
  beacon,
  invitation,
];
