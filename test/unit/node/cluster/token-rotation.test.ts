// The rotation of the cluster token over nodes that reach each other by real requests, in memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeTokens } from '../../../../src/http/cluster-token-view.ts';
import { HttpProblem } from '../../../../src/http/problem.ts';
import { ClusterTokens, type TokenCluster } from '../../../../src/node/cluster/cluster-tokens.ts';
import { NodeQueries } from '../../../../src/node/cluster/node-queries.ts';
import { type ConfigSource, SettingError } from '../../../../src/node/config-source.ts';
import { deriveKeyRing, type KeyRing, tokenIds } from '../../../../src/shared/key-ring.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { sealTokens } from '../../../../src/shared/token-seal.ts';

const OLD = 'c1c5b8f02b7f4c0d9e6a3d2f1b0a9c8d';
const PATH = '/api/v1/cluster-token';

const rings = new Map<string, Promise<KeyRing>>();

/** Each is derived once, which takes the most time. */
function ringOf(tokens: readonly string[]): Promise<KeyRing> {
  const name = tokens.join();
  const ring = rings.get(name) ?? deriveKeyRing(tokens, 'shoal');
  rings.set(name, ring);
  return ring;
}

/** One node: its file of tokens, its keys, and what it answers to others. */
async function newNode(name: string, boot: bigint, send: (to: bigint, bytes: Buffer) => void) {
  let tokens: readonly string[] = [OLD];
  let keys = await ringOf(tokens);
  const node = {
    name,
    boot,
    obstacle: undefined as string | undefined,
    isOld: false,
    /** By name, as the others see it. */
    states: new Map<string, string>(),
    get tokens() {
      return tokens;
    },
    get ids() {
      return tokenIds(keys);
    },
    replaced: (): void => undefined,
    /** The rotation that it leads waits for datagrams that are on their way. */
    waited: (): void => undefined,
    queries: new NodeQueries({ nodeName: name, log: silentLogger, send, rttMs: () => 1 }),
    api: undefined as unknown as ClusterTokens,
    /** As after a restart: the file stays, the memory does not. */
    restart: () => {
      node.api = newApi();
    },
  };
  const cluster = {
    queries: node.queries,
    get keys() {
      return keys;
    },
    status: {
      members: () =>
        [...node.states].map(([name, state]) => ({
          member: { name, state, metadata: { version: '0.0.9' } },
        })),
    },
  };
  const source: Partial<ConfigSource> = {
    tokensObstacle: async () => node.obstacle,
    replaceTokens: async (next) => {
      if (node.obstacle !== undefined) throw new SettingError(node.obstacle);
      tokens = next;
      keys = await ringOf(next);
      node.replaced();
    },
  };
  const newApi = () =>
    new ClusterTokens({
      nodeName: name,
      log: silentLogger,
      cluster: cluster as unknown as TokenCluster,
      source: source as ConfigSource,
      config: () => ({ tokens }) as never,
      wait: async () => node.waited(),
    });
  node.api = newApi();
  node.queries.handler = async ({ method, path, body }) => {
    if (node.isOld || path !== PATH) return { status: 404, body: { detail: 'nothing here' } };
    try {
      const answer =
        method === 'GET' ? { nodes: [await node.api.view()] } : await node.api.take(body as never);
      return { status: 200, body: answer };
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      return { status: error.status, body: { detail: error.message } };
    }
  };
  return node;
}

async function cluster(t: { after(end: () => void): void }) {
  const datagrams: Buffer[] = [];
  const nodes: Awaited<ReturnType<typeof newNode>>[] = [];
  for (const [index, name] of ['box1', 'box2', 'box3'].entries()) {
    const own = BigInt(index + 1);
    const send = (to: bigint, bytes: Buffer): void => {
      datagrams.push(Buffer.from(bytes));
      setImmediate(() => nodes.find(({ boot }) => boot === to)?.queries.receive(own, bytes));
    };
    nodes.push(await newNode(name, own, send));
  }
  const [one, two, three] = nodes;
  assert.ok(one && two && three);
  const online = (...names: string[]): void => {
    for (const node of nodes) {
      const others = nodes.filter(({ name }) => name !== node.name);
      node.queries.setOnline(
        others
          .filter(({ name }) => names.includes(name))
          .map(({ name, boot: bootId }) => ({ name, bootId })),
      );
      node.states = new Map(
        others.map(({ name }) => [name, names.includes(name) ? 'alive' : 'offline']),
      );
    }
  };
  online('box1', 'box2', 'box3');
  t.after(() => {
    for (const { queries } of nodes) queries.close();
  });
  return { one, two, three, nodes, datagrams, online };
}

async function over(node: { api: ClusterTokens }) {
  while (node.api.rotation.state === 'running') await new Promise((done) => setImmediate(done));
  return node.api.rotation;
}

test('all nodes get the new token, none signs with what another does not accept, and no datagram shows it', async (t) => {
  const { one, nodes, datagrams } = await cluster(t);
  for (const node of nodes) {
    node.replaced = () => {
      for (const {
        ids: [signs = ''],
        name,
      } of nodes) {
        for (const other of nodes) {
          assert.ok(other.ids.includes(signs), `${other.name} refuses what ${name} signs`);
        }
      }
    };
  }
  await one.api.rotate('start');
  const { state, problem } = await over(one);
  assert.deepEqual([state, problem], ['done', null]);
  const [made] = one.tokens;
  assert.ok(made !== undefined && made !== OLD);
  for (const { tokens } of nodes) assert.deepEqual(tokens, [made]);
  const traffic = Buffer.concat(datagrams).toString('latin1');
  for (const secret of [made, OLD]) {
    const forms = [
      secret,
      Buffer.from(secret, 'hex').toString('latin1'),
      Buffer.from(secret).toString('base64'),
    ];
    for (const form of forms) assert.ok(!traffic.includes(form));
  }
});

test('no node forgets the old token while datagrams that it signed are on their way', async (t) => {
  const { one, nodes } = await cluster(t);
  const [old] = one.ids;
  let hasWaited = false;
  one.waited = () => {
    for (const { name, ids } of nodes)
      assert.notEqual(ids[0], old, `${name} signs with the old one`);
    hasWaited = true;
  };
  for (const node of nodes) {
    node.replaced = () => assert.ok(hasWaited || node.ids.includes(old ?? ''), node.name);
  }
  await one.api.rotate('start');
  assert.equal((await over(one)).state, 'done');
  assert.ok(hasWaited);
});

test('nothing changes where one node cannot: it is named with its reason', async (t) => {
  const { one, two, three, nodes } = await cluster(t);
  two.obstacle = "has its token from -csk, which can't be rewritten";
  await assert.rejects(
    one.api.rotate('start'),
    /Nothing has changed: box2 has its token from -csk/,
  );
  two.obstacle = undefined;
  three.isOld = true;
  await assert.rejects(one.api.rotate('start'), /box3 runs 0\.0\.9, which can't rotate tokens/);
  for (const { tokens } of nodes) assert.deepEqual(tokens, [OLD]);
});

test('the old token comes back where a node fails to take the new one', async (t) => {
  const { one, two, three, nodes } = await cluster(t);
  two.replaced = () => {
    three.obstacle = "can't replace token: the disk is full";
  };
  await one.api.rotate('start');
  const { state, problem } = await over(one);
  assert.equal(state, 'done');
  assert.match(problem ?? '', /^box3: can't replace token: the disk is full$/);
  for (const { tokens } of nodes) assert.deepEqual(tokens, [OLD]);
});

test('a rotation waits for a node that is offline, and another leader goes on with it', async (t) => {
  const { one, two, three, nodes, online } = await cluster(t);
  online('box1', 'box2');
  await one.api.rotate('start');
  const { state, offline } = await over(one);
  assert.deepEqual([state, offline], ['waiting', ['box3']]);
  assert.equal(two.tokens[0], OLD, 'all still sign with what box3 has');
  await assert.rejects(two.api.rotate('start'), /box1 and box2 accept more than one token/);
  online('box1', 'box2', 'box3');
  await assert.rejects(three.api.rotate('resume'), /ask box1 and box2, which have both/);
  one.restart();
  await two.api.rotate('resume');
  assert.equal((await over(two)).state, 'done');
  for (const { tokens } of nodes) assert.deepEqual(tokens, [one.tokens[0]]);
  assert.notEqual(one.tokens[0], OLD);
});

test('a rotation that waits can be taken back', async (t) => {
  const { one, nodes, online } = await cluster(t);
  online('box1', 'box2');
  await one.api.rotate('start');
  await over(one);
  online('box1', 'box2', 'box3');
  await one.api.rotate('abort');
  assert.equal((await over(one)).state, 'done');
  for (const { tokens } of nodes) assert.deepEqual(tokens, [OLD]);
});

test('the token that all sign with stays where no node remembers which one is new', async (t) => {
  const { one, two, nodes, online } = await cluster(t);
  online('box1', 'box2');
  await one.api.rotate('start');
  await over(one);
  for (const node of nodes) node.restart();
  online('box1', 'box2', 'box3');
  await two.api.rotate('resume');
  const { state, problem } = await over(two);
  assert.equal(state, 'done');
  assert.match(problem ?? '', /no node remembers which token is the new one/);
  for (const { tokens } of nodes) assert.deepEqual(tokens, [OLD]);
});

test('a node takes no tokens that are not sealed for it, nor a third one', async (t) => {
  const { one, two, online } = await cluster(t);
  const forged = { key: 'ffffffff', sealed: Buffer.alloc(64).toString('base64') };
  await assert.rejects(two.api.take(forged), { status: 403 });
  online('box1', 'box2');
  const before: NodeTokens = await two.api.view();
  await one.api.rotate('start');
  await over(one);
  assert.notDeepEqual(await two.api.view(), before);
  online('box2', 'box3');
  const ring = await ringOf([OLD]);
  const third = sealTokens([OLD, 'third'], ring.handover, 'box2');
  await assert.rejects(two.api.take(third), /other tokens are on their way to this node/);
  const jump = sealTokens(['third', OLD], ring.handover, 'box3');
  await assert.rejects(two.api.take(jump), { status: 403 });
});
