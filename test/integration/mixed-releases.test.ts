// A node of this release beside one of the release before, as in the minutes of an upgrade.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe } from 'node:test';
import { builtBundleOf, COMMIT_BEFORE } from '../support/bundles.ts';
import { runCommand } from '../support/run-command.ts';
import { allSeeEachOther, type Node, type Scenario, scenario } from './support/scenario.ts';

const OLD_TOKEN = '4f8d1b6c92e07a35d8b1c604fe937a20';
/** The chaos test builds it, which CI runs first. Without it both nodes run this source. */
const before = builtBundleOf(COMMIT_BEFORE);

/** Publishes at one node until `until` is done, and waits for each message at the other one. */
async function pass(scene: Scenario, from: Node, to: Node, until: Promise<unknown>) {
  const publisher = await scene.client(from);
  const reader = await scene.client(to);
  const topic = `from/${from.name}`;
  await reader.subscribe([topic]);
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  const send = async (text: string): Promise<void> => {
    await publisher.publish(topic, text);
    await reader.arrival(topic, (each) => each.text === text);
  };
  for (let count = 0; !isOver; count++) await send(`${count}`);
  await send('after');
}

describe('with a node of the release before', () => {
  scenario(
    'a rotation of the token is refused or done everywhere, and loses no message',
    async (scene) => {
      const paths = ['n1', 'n2'].map((name) => scene.file(`${name}.token`, `${OLD_TOKEN}\n`));
      const n1 = await scene.startLocal('n1', `-csk-file=${paths[0]}`);
      const seed = `-mbs=${await n1.process.gossipAddress()}`;
      const n2 = scene.launchOf(before, 'n2', `-csk-file=${paths[1]}`, seed);
      await n2.process.mqttPort();
      await allSeeEachOther([n1, n2]);

      const rotation = runCommand(['token', 'rotate', `-control=${n1.control}`]);
      await Promise.all([pass(scene, n1, n2, rotation), pass(scene, n2, n1, rotation)]);
      const { code, err } = await rotation;
      const tokens = paths.map((path) => readFileSync(path, 'utf8').trim());
      assert.equal(new Set(tokens).size, 1, 'both boxes have the same tokens');
      if (code === 0) assert.notEqual(tokens[0], OLD_TOKEN);
      else {
        assert.match(err, /Nothing has changed: n2 .*update it first/);
        assert.equal(tokens[0], OLD_TOKEN);
      }
      for (const { process } of [n1, n2]) assert.doesNotMatch(process.output, /cluster offline/);
    },
  );
});
