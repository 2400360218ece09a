import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, type Line, picture, type View, wrap } from '../../../bin/demo/picture.ts';

const online = (name: string) => ({ text: `${name}: online`, style: 'good' }) as const;

function view(entries: readonly Entry[]): View {
  const names = ['n1', 'n2', 'n3'];
  return {
    nodes: names.map((name) => ({
      name,
      process: '123456',
      isDown: false,
      mqttPort: '65535',
      gossip: '127.0.0.1:65535',
      opinions: names.filter((other) => other !== name).map(online),
    })),
    crossings: names.map((from) => ({
      from,
      cells: names.map(() => ({ wide: '123456, 1000.1 / 1000.2 ms', narrow: '123456' })),
    })),
    entries,
    hint: {
      title: 'Try it from another terminal:',
      commands: [['mosquitto_pub', '-p', '65535', '-t test/hello', '-m world']],
      style: 'bold',
    },
  };
}

const entry = (kind: Entry['kind'], text: string): Entry => {
  return { seconds: 1, text, kind, style: 'plain' };
};
const textOf = (line: Line): string =>
  line
    .map(({ text }) => text)
    .join('')
    .trimEnd();

test('no line is longer than the terminal and a row is left for the cursor', () => {
  const entries = Array.from({ length: 50 }, (_, i) =>
    entry('step', `step ${i} with some words more`),
  );
  for (const columns of [20, 40, 79, 80, 200]) {
    for (const rows of [1, 5, 12, 24, 80]) {
      const lines = picture(view(entries), columns, rows).map(textOf);
      assert.ok(lines.length < rows, `${columns}x${rows}: ${lines.length} lines`);
      for (const line of lines) assert.ok(line.length <= columns, `${columns}x${rows}: ${line}`);
    }
  }
});

test('events make room for each other and never for a step of the story', () => {
  const steps = Array.from({ length: 7 }, (_, i) => entry('step', `step ${i}`));
  const events = Array.from({ length: 100 }, (_, i) => entry('event', `event ${i}`));
  const text = picture(view([...steps, ...events]), 80, 24)
    .map(textOf)
    .join('\n');
  for (let i = 0; i < 7; i++) assert.match(text, new RegExp(`step ${i}$`, 'm'));
  assert.match(text, /event 99$/m);
  assert.doesNotMatch(text, /event 0$/m);
});

test('a command is continued on the next line by a backslash', () => {
  assert.deepEqual(wrap(['node', 'shoal.js', '-nid=n3', '-port=1'], 16, ' \\'), [
    'node shoal.js \\',
    '-nid=n3 -port=1',
  ]);
  assert.deepEqual(wrap(['a-word-that-is-too-long', 'b'], 10), ['a-word-that-is-too-long', 'b']);
});
