// `npm run demo`: shows a cluster of three nodes on this machine, then leaves it running to be tried
// until Ctrl-C. With --once it ends after the story, with 0 only if all of it was seen to happen.

import { type DemoNode, makeCluster } from './demo/cluster.ts';
import { Screen } from './demo/screen.ts';
import { tellStory } from './demo/story.ts';
import { Traffic } from './demo/traffic.ts';

const once = process.argv.includes('--once');
const traffic = new Traffic();
const nodes = makeCluster(({ observer, subject, state, reason }) =>
  screen.note(`${observer} says: ${subject} is ${state} (${reason})`),
);
const screen = new Screen(nodes, traffic);

const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => resolve());
});

try {
  const story = tellStory({ nodes, traffic, screen });
  await Promise.race([story, interrupted.then(() => Promise.reject(new Error('interrupted')))]);
  if (!once) {
    screen.tell('the cluster goes on until Ctrl-C; try from another terminal:');
    for (const line of commandsToTry(nodes)) screen.note(line);
    await interrupted;
  }
  process.exitCode = 0;
} catch (error) {
  screen.tell(`FAILED: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await end();
}

async function end(): Promise<void> {
  traffic.close();
  screen.close();
  if (process.stdout.isTTY !== true) process.stdout.write(`\n${screen.table().join('\n')}\n`);
  const exits = await Promise.all(nodes.map((node) => node.process?.stop()));
  for (const [index, exit] of exits.entries()) {
    if (exit === undefined || exit.code === 0) continue;
    console.error(`${nodes[index]?.name} ended with ${exit.code ?? exit.signal}`);
    process.exitCode = 1;
  }
}

function commandsToTry([first, second, third]: readonly DemoNode[]): string[] {
  return [
    `mosquitto_sub -p ${first?.mqttPort} -t 'test/#' -v`,
    `mosquitto_pub -p ${second?.mqttPort} -t test/hello -m world`,
    `kill -9 ${third?.process?.pid}`,
  ];
}
