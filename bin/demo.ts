// `npm run demo`: shows a cluster of three nodes on this machine, then leaves it running until Ctrl-C.
// With --once it ends after the story, with exit code 0 only if every step was observed.
// Invariant: whatever ends the demo ends its nodes.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { makeNodes } from './demo/cluster.ts';
import type { Hint } from './demo/picture.ts';
import { Screen } from './demo/screen.ts';
import { playStory } from './demo/story.ts';
import { Traffic } from './demo/traffic.ts';

const HELP = `usage: npm run demo -- [--once]

Starts three nodes on this machine and shows what happens between them, until Ctrl-C.

  --once  end after the story, with 0 only if every step was observed
  --help  print this`;
const WATCH_EVERY_MS = 200;
const INTERRUPTED = 130;

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

const ending = new AbortController();
const nodes = makeNodes(({ observer, subject, state, reason }) =>
  screen.event(`${observer} sees ${subject} as ${state} (${reason})`),
);
const traffic = new Traffic((text) => screen.event(text));
const screen = new Screen(nodes, traffic, process.stdout);

// The second signal does not wait for the nodes to leave the cluster.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => (ending.signal.aborted ? endNow() : ending.abort()));
}
// The terminal, or the reader of the output, may end first.
process.stdout.on('error', () => ending.abort());
process.on('exit', () => {
  for (const node of nodes) node.killNow();
});

process.exit(await run());

async function run(): Promise<number> {
  const interrupted = new Promise<'interrupted'>((resolve) => {
    ending.signal.addEventListener('abort', () => resolve('interrupted'));
  });
  const story = playStory({ nodes, traffic, screen, signal: ending.signal });
  // After an interruption the story ends with an error that means nothing.
  story.catch(() => undefined);
  try {
    if ((await Promise.race([story, interrupted])) === 'interrupted') {
      screen.step('Interrupted before the end of the story.');
      return await end(INTERRUPTED);
    }
    if (tokens.includes('--once')) return await end(0);
    screen.hint(hint());
    const timer = setInterval(() => screen.hint(hint()), WATCH_EVERY_MS);
    await interrupted;
    clearInterval(timer);
    return await end(0);
  } catch (error) {
    screen.step(`FAILED: ${error instanceof Error ? error.message : error}`, 'bad');
    return await end(1);
  }
}

/** @returns `code`, or 1 if a node did not end as it should; a node that was killed before is none of those */
async function end(code: number): Promise<number> {
  screen.close();
  traffic.close();
  const faults = (await Promise.all(nodes.map((node) => node.end()))).filter(
    (fault) => fault !== undefined,
  );
  screen.print(faults.length === 0 ? 'All nodes have stopped.' : faults.join('\n'));
  return faults.length === 0 ? code : 1;
}

function endNow(): void {
  screen.close();
  screen.print('The nodes were killed.');
  process.exit(INTERRUPTED);
}

/** What the person can try, or how to bring back a node that they killed. */
function hint(): Hint {
  const down = nodes.find((node) => node.status(nodes) === 'killed');
  if (down !== undefined) {
    const title = `${down.name} is down. Start it again from another terminal, in this folder:`;
    return { title, commands: [down.commandLine()], style: 'bad' };
  }
  const [first, second] = nodes;
  const last = nodes.findLast((node) => node.isRunning);
  const title = 'The cluster is yours until Ctrl-C. Try it from another terminal, in this folder:';
  const [subscribe, publish] = isInPath('mosquitto_pub')
    ? [['mosquitto_sub'], ['mosquitto_pub']]
    : [
        ['npx', 'mqtt', 'sub'],
        ['npx', 'mqtt', 'pub'],
      ];
  const commands = [
    [...subscribe, '-p', `${first?.mqttPort}`, "-t 'test/#'", '-v'],
    [...publish, '-p', `${second?.mqttPort}`, '-t test/hello', '-m world'],
    ['kill', '-9', `${last?.pid}`],
  ];
  return { title, commands, style: 'bold' };
}

function isInPath(program: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program)));
}
