// `npm run demo`: shows a cluster of three nodes on this machine, then leaves it running to be tried
// until Ctrl-C. With --once it ends after the story, with 0 only if all of it was seen to happen.

import { type DemoNode, makeCluster } from './demo/cluster.ts';
import { Screen } from './demo/screen.ts';
import { tellStory } from './demo/story.ts';
import { Traffic } from './demo/traffic.ts';

const HELP = `usage: npm run demo -- [--once]

Starts three nodes on this machine and tells what happens between them, until Ctrl-C.

  --once  end after the story, with 0 only if all of it was seen to happen
  --help  print this`;

const tokens = process.argv.slice(2);
if (tokens.includes('--help') || tokens.includes('-h')) {
  console.log(HELP);
  process.exit(0);
}
const unknown = tokens.find((token) => token !== '--once');
if (unknown !== undefined) {
  console.error(`demo: unknown argument '${unknown}'\n\n${HELP}`);
  process.exit(2);
}
const once = tokens.includes('--once');
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
  const isTold = await Promise.race([story.then(() => true), interrupted.then(() => false)]);
  if (!isTold) {
    screen.tell('interrupted before the end of the story');
    process.exitCode = 130;
  } else if (!once) {
    screen.tell('the cluster goes on until Ctrl-C; try from another terminal:');
    for (const line of commandsToTry(nodes)) screen.note(line);
    await interrupted;
  }
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
  // Who was killed before is not ours to judge: trying that is the point.
  const running = nodes.filter((node) => node.running);
  const exits = await Promise.all(running.map((node) => node.process?.stop()));
  for (const [index, exit] of exits.entries()) {
    if (exit === undefined || exit.code === 0) continue;
    console.error(`${running[index]?.name} ended with ${exit.code ?? exit.signal}`);
    process.exitCode = 1;
  }
  if (process.exitCode === undefined) console.log('all nodes have stopped');
}

function commandsToTry([first, second, third]: readonly DemoNode[]): string[] {
  return [
    `mosquitto_sub -p ${first?.mqttPort} -t 'test/#' -v`,
    `mosquitto_pub -p ${second?.mqttPort} -t test/hello -m world`,
    `kill -9 ${third?.process?.pid}`,
  ];
}
