import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveView } from '../../../src/cli/terminal/live-view.ts';
import { paintFor } from '../../../src/cli/terminal/paint.ts';
import { Progress } from '../../../src/cli/terminal/progress.ts';
import { formatTable } from '../../../src/cli/terminal/table.ts';
import { cutText, padText, printable, textWidth } from '../../../src/cli/terminal/text-width.ts';
import { fakeContext } from '../../support/fake-context.ts';

const plain = paintFor({ environment: {}, outputIsTerminal: false });

test('the width of a text counts columns, not characters', () => {
  for (const [text, width] of [
    ['abc', 3],
    ['温度', 4],
    ['e\u0301', 1],
    ['한글', 4],
    ['🌡', 2],
    ['über', 4],
  ] as const) {
    assert.equal(textWidth(text), width, text);
  }
  assert.equal(cutText('温度計', 5), '温度…');
  assert.equal(cutText('thermo7', 7), 'thermo7');
  assert.equal(padText('温', 4), '温  ');
  assert.equal(padText('7', 3, 'right'), '  7');
});

test('what a terminal would execute is shown as its code', () => {
  assert.equal(printable('a\u001b[2Jb\u0007\u202e'), 'a\\u001b[2Jb\\u0007\\u202e');
});

test('a table is as narrow as its cells, and a narrow terminal cuts names only', () => {
  const heads = [
    { title: 'CLIENT', shrinks: true },
    { title: 'IN/S', align: 'right' },
    { title: 'NODE' },
  ] as const;
  const rows = [
    ['thermometer-in-the-cellar', '12', 'box1'],
    ['温度', '1,200', { text: 'box2', style: 'bad' } as const],
  ];
  assert.deepEqual(formatTable(heads, rows, plain, Number.POSITIVE_INFINITY), [
    'CLIENT                      IN/S  NODE',
    'thermometer-in-the-cellar     12  box1',
    '温度                       1,200  box2',
  ]);
  const narrow = formatTable(heads, rows, plain, 28);
  assert.deepEqual(narrow, [
    'CLIENT            IN/S  NODE',
    'thermometer-in…     12  box1',
    '温度             1,200  box2',
  ]);
});

test('colours appear on a terminal only, and never with NO_COLOR', () => {
  const bad = (environment: Record<string, string>, outputIsTerminal: boolean): string =>
    paintFor({ environment, outputIsTerminal }).bad('x');
  assert.equal(bad({}, false), 'x');
  assert.equal(bad({ NO_COLOR: '1' }, true), 'x');
  assert.equal(bad({}, true), '\u001b[31mx\u001b[39m');
});

test('a live view redraws in place on a terminal, and leaves the last picture', () => {
  const context = fakeContext({ outputIsTerminal: true });
  const view = new LiveView(context);
  view.show(['one', 'two']);
  view.show(['three']);
  view.close();
  view.close();
  assert.deepEqual(context.out, [
    '\u001b[?1049h\u001b[?25l\u001b[Hone\u001b[K\r\ntwo\u001b[K\r\n\u001b[J',
    '\u001b[Hthree\u001b[K\r\n\u001b[J',
    '\u001b[?25h\u001b[?1049l',
    'three\n',
  ]);
});

test('a live view prints to a pipe what has changed', () => {
  const context = fakeContext();
  const view = new LiveView(context);
  view.show(['one']);
  view.show(['one']);
  view.show(['two']);
  view.close();
  assert.equal(context.out.join(''), 'one\n\ntwo\n');
});

test('progress is for a person only', () => {
  const watched = fakeContext({ errorIsTerminal: true });
  const progress = new Progress(watched);
  progress.show(0.5, '5 of 10');
  progress.end();
  assert.deepEqual(watched.err, [
    '\r\u001b[K[============            ]  50 %  5 of 10',
    '\r\u001b[K',
  ]);
  const piped = fakeContext();
  const silent = new Progress(piped);
  silent.show(0.5, '5 of 10');
  silent.end();
  assert.deepEqual(piped.err, []);
});

test('a picture on a narrow terminal is cut, and no line wraps; its colours end', () => {
  const context = fakeContext({ outputIsTerminal: true, outputColumns: 10 });
  const view = new LiveView(context);
  view.show(['\u001b[32mAll well: 10 boxes\u001b[39m', 'short', '温度計温度計']);
  const shown = context.out.join('');
  assert.ok(shown.includes('\u001b[32mAll well:…\u001b[39m\u001b[K'), JSON.stringify(shown));
  assert.ok(shown.includes('short\u001b[K'));
  assert.ok(shown.includes('温度計温…\u001b[K'), JSON.stringify(shown));
});
