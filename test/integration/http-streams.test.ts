// Server-sent events: log lines and messages of all nodes, as they come.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { ControlClient } from '../../src/cli/control-client.ts';
import { eventOf } from './support/managed-node.ts';
import { scenario } from './support/scenario.ts';

describe('streams of the API', { concurrency: 2 }, () => {
  scenario('the events of every node come in one stream', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const stream = await new ControlClient(n1.control).open({ path: '/api/v1/events?past=200' });
    const joined = eventOf(stream, ({ data }) => data.event === 'client connected');
    await scene.client(n2, { clientId: 'there' });
    const { data } = await joined;
    assert.equal(data.node, 'n2');
    assert.equal((data.fields as { client: string }).client, 'there');
  });

  scenario('a subscription gets retained messages, then new ones, of all nodes', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const client = await scene.client(n2);
    await client.publish('home/lamp', 'on', { qos: 1, retain: true });
    const path = '/api/v1/subscribe?filter=home/%23';
    const stream = await new ControlClient(n2.control).open({ path });
    const first = await eventOf(stream, ({ event }) => event === 'message');
    assert.deepEqual(
      [first.data.topic, first.data.payload, first.data.retain],
      ['home/lamp', 'on', true],
    );
    const next = await new ControlClient(n2.control).open({ path });
    const wanted = eventOf(next, ({ data }) => data.topic === 'home/door');
    await scene.ask(n1, 'POST', '/api/v1/publish', { topic: 'home/door', payload: 'open' });
    assert.equal((await wanted).data.payload, 'open');
  });

  scenario('a trace shows the packets of one client, on whichever node it is', async (scene) => {
    const [n1, n2] = await scene.localCluster(2);
    assert.ok(n1 !== undefined && n2 !== undefined);
    const client = await scene.client(n2, { clientId: 'thermo' });
    const other = await scene.client(n2, { clientId: 'other' });
    const path = '/api/v1/trace?client=thermo&payload=8&seconds=30';
    const stream = await new ControlClient(n1.control).open({ path });
    const seen: unknown[] = [];
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const done = eventOf(stream, ({ event, data }) => {
      if (event === 'begin' && data.node === 'n2') begin();
      if (event === 'packet') {
        const { node, client: id, direction, type, topic, payload, reason } = data;
        seen.push([node, id, direction, type, topic ?? data.detail ?? reason, payload]);
      }
      return data.type === 'CLOSED';
    });
    await begun;
    await other.publish('home/other', 'x', { qos: 1 });
    await client.publish('home/thermo', '21.4 degrees', { qos: 1 });
    await client.subscribe(['home/lamp']);
    await new ControlClient(n2.control).ask({
      path: '/api/v1/clients/thermo/disconnect',
      method: 'POST',
    });
    await done;
    assert.deepEqual(seen, [
      ['n2', 'thermo', 'in', 'PUBLISH', 'home/thermo', '21.4 deg'],
      ['n2', 'thermo', 'out', 'PUBACK', undefined, undefined],
      ['n2', 'thermo', 'in', 'SUBSCRIBE', 'home/lamp q0', undefined],
      ['n2', 'thermo', 'out', 'SUBACK', 'granted q0', undefined],
      ['n2', 'thermo', 'out', 'DISCONNECT', 'administrative action', undefined],
      ['n2', 'thermo', 'out', 'CLOSED', 'ended by an administrator', undefined],
    ]);
  });

  scenario('two traces of one client both show it from its CONNECT on', async (scene) => {
    const node = await scene.startLocal('n1');
    const path = '/api/v1/trace?client=thermo&seconds=60';
    const traces = [1, 2].map(async () => {
      const stream = await new ControlClient(node.control).open({ path });
      const seen: string[] = [];
      let begin = (): void => undefined;
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const done = eventOf(stream, ({ event, data }) => {
        if (event === 'begin') begin();
        const { type, direction, reason, detail } = data;
        if (event === 'packet') seen.push(`${direction} ${type} ${detail ?? reason ?? ''}`.trim());
        return type === 'PUBACK';
      });
      await begun;
      return { done, seen };
    });
    const both = await Promise.all(traces);
    const options = { clientId: 'thermo', username: 'ann', keepalive: 60 };
    const client = await scene.client(node, options);
    await client.publish('home/thermo', '21.4', { qos: 1 });
    for (const { done, seen } of both) {
      await done;
      assert.deepEqual(seen, [
        'in CONNECT MQTT 5.0 as ann, clean start, keep alive 60 s',
        'out CONNACK success',
        'in PUBLISH',
        'out PUBACK',
      ]);
    }
  });

  scenario(
    'a trace of a topic shows where it came in and where it went, and ends',
    async (scene) => {
      const node = await scene.startLocal('n1');
      const [publisher, subscriber] = [await scene.client(node), await scene.client(node)];
      await subscriber.subscribe(['home/#']);
      const path = '/api/v1/trace?topic=home/%2B&seconds=1';
      const stream = await new ControlClient(node.control).open({ path });
      const seen: unknown[] = [];
      const ended = eventOf(stream, ({ event, data }) => {
        seen.push([event, data.direction, data.topic]);
        return event === 'end';
      });
      await publisher.publish('other', 'x');
      await publisher.publish('home/door', 'open');
      assert.equal((await ended).data.reason, 'the time is over');
      assert.deepEqual(seen, [
        ['begin', undefined, undefined],
        ['packet', 'in', 'home/door'],
        ['packet', 'out', 'home/door'],
        ['end', undefined, undefined],
      ]);
    },
  );

  scenario('a trace names a client whose identifier the broker has chosen', async (scene) => {
    const node = await scene.startLocal('n1');
    const path = '/api/v1/trace?topic=home/%2B&seconds=60';
    const stream = await new ControlClient(node.control).open({ path });
    const packet = eventOf(stream, ({ event }) => event === 'packet');
    const nameless = await scene.client(node, { clientId: '', protocolVersion: 5 });
    await nameless.publish('home/door', 'open');
    assert.match(String((await packet).data.client), /^auto-/);
  });

  scenario('a stream of a wrong request is refused before it begins', async (scene) => {
    const node = await scene.startLocal('n1');
    const refused = scene.ask(node, 'GET', '/api/v1/subscribe?filter=a/%23/b');
    await assert.rejects(refused, { status: 400, message: 'The filter is not valid.' });
    await assert.rejects(scene.ask(node, 'GET', '/api/v1/events?node=n9'), { status: 404 });
  });
});
