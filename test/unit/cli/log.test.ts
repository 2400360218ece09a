import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  goTime,
  type LogSettings,
  LogSink,
  REPEAT_WINDOW_MS,
  REPEATS_MAX,
  REPEATS_PER_SOURCE_MAX,
  wantsColour,
} from '../../../src/cli/log.ts';

function sink(settings: Partial<LogSettings> = {}) {
  const lines: string[] = [];
  const output = { isOpen: true };
  const clock = { now: Date.UTC(2026, 10, 20, 14, 48, 27) };
  const log = new LogSink({
    form: 'text',
    level: 'info',
    time: 'iso',
    colour: false,
    priorities: false,
    write: (line) => {
      if (!output.isOpen) return false;
      lines.push(line);
      return true;
    },
    now: () => clock.now,
    ...settings,
  });
  return { log, lines, clock, output };
}

test('a text line has the time, the event and its fields', () => {
  const { log, lines } = sink();
  log.info('cluster online', { node: 'n2', address: '192.168.1.101:7946', reason: undefined });
  assert.deepEqual(lines, [
    '2026-11-20T14:48:27.000Z cluster online node=n2 address=192.168.1.101:7946\n',
  ]);
});

test("the local time is written as Go's log package does", () => {
  assert.equal(goTime(new Date(2026, 0, 2, 3, 4, 5)), '2026/01/02 03:04:05');
});

test('warnings and errors are marked', () => {
  const { log, lines } = sink();
  log.warn('w');
  log.error('e');
  assert.match(lines.join(''), /Z WARNING w\n.*Z ERROR e\n/);
});

test('lines below the level are not written, and the level can change', () => {
  const { log, lines } = sink();
  log.debug('a');
  log.level = 'debug';
  log.debug('b');
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /debug b/);
});

test('logfmt and JSON have the same fields', () => {
  const logfmt = sink({ form: 'logfmt' });
  logfmt.log.info('client gone', { id: 'a b', count: 2 });
  assert.equal(
    logfmt.lines[0],
    'time=2026-11-20T14:48:27.000Z level=info event="client gone" id="a b" count=2\n',
  );
  const json = sink({ form: 'json' });
  json.log.info('client gone', { id: 'a b', count: 2 });
  assert.deepEqual(JSON.parse(json.lines[0] ?? ''), {
    time: '2026-11-20T14:48:27.000Z',
    level: 'info',
    event: 'client gone',
    id: 'a b',
    count: 2,
  });
});

test('text from a client can neither end a line nor move the terminal', () => {
  for (const form of ['text', 'logfmt', 'json'] as const) {
    const { log, lines } = sink({ form });
    log.info('client\nid', { id: 'x\n2026/11/20 all is well\u001b[2J', c1: '\u009b2J\u{e0001}' });
    const [line = ''] = lines;
    assert.equal(line.split('\n').length, 2, form);
    assert.ok(!line.includes('\u001b'), form);
    assert.ok(!line.includes('\u009b'), form);
    if (form === 'json') assert.equal(JSON.parse(line).c1, '\u009b2J\u{e0001}');
  }
});

test('a field of any length makes a line of bounded length', () => {
  for (const form of ['text', 'logfmt', 'json'] as const) {
    const { log, lines } = sink({ form });
    log.info('publish denied', { topic: '\u0001'.repeat(65_535), user: 'u' });
    assert.ok((lines[0]?.length ?? 0) < 10_000, form);
    assert.match(lines[0] ?? '', /user/, form);
  }
});

test('an event that repeats too often is counted, and its next line has the count', () => {
  const { log, lines, clock } = sink();
  for (let index = 0; index < REPEATS_MAX + 30; index++) log.warn('bad MAC');
  log.warn('another event');
  assert.equal(lines.length, REPEATS_MAX + 1);
  clock.now += REPEAT_WINDOW_MS;
  log.warn('bad MAC');
  assert.match(lines.at(-1) ?? '', /bad MAC leftOut=30\n$/);
});

test('the count of an event that has stopped is written once, in a line of its own', () => {
  const { log, lines, clock } = sink();
  for (let index = 0; index < REPEATS_MAX + 30; index++) log.warn('bad MAC', { from: index });
  log.flushCounts();
  assert.equal(lines.length, REPEATS_MAX);
  clock.now += REPEAT_WINDOW_MS;
  log.flushCounts();
  log.flushCounts();
  assert.match(lines.at(-1) ?? '', /WARNING bad MAC leftOut=30\n$/);
  assert.equal(lines.length, REPEATS_MAX + 1);
});

test('a flood from one address does not hide the lines of another', () => {
  const { log, lines } = sink();
  for (let index = 0; index < 1000; index++) log.warn('refused', { from: '203.0.113.7' });
  log.warn('refused', { from: '192.168.1.7' });
  assert.equal(lines.length, REPEATS_PER_SOURCE_MAX + 1);
  assert.match(lines.at(-1) ?? '', /from=192\.168\.1\.7/);
});

test('lines that the output does not take are counted, and the count is written later', () => {
  const { log, lines, output } = sink();
  output.isOpen = false;
  for (const event of ['a', 'b', 'c']) log.info(event);
  assert.deepEqual(lines, []);
  output.isOpen = true;
  log.info('d');
  assert.match(lines[0] ?? '', /WARNING log lines lost: the output took no more lines=3\n$/);
  assert.match(lines[1] ?? '', / d\n$/);
  log.info('e');
  assert.equal(lines.length, 3);
});

test('a clock that is set back does not silence an event', () => {
  const { log, lines, clock } = sink();
  for (let index = 0; index < REPEATS_MAX; index++) log.warn('bad MAC');
  clock.now -= 86_400_000;
  log.warn('bad MAC');
  assert.equal(lines.length, REPEATS_MAX + 1);
});

test('colour is for terminals, unless NO_COLOR or FORCE_COLOR say otherwise', () => {
  assert.equal(wantsColour({}, true), true);
  assert.equal(wantsColour({}, false), false);
  assert.equal(wantsColour({ TERM: 'dumb' }, true), false);
  assert.equal(wantsColour({ NO_COLOR: '1' }, true), false);
  assert.equal(wantsColour({ NO_COLOR: '' }, true), true);
  assert.equal(wantsColour({ FORCE_COLOR: '1' }, false), true);
  assert.equal(wantsColour({ FORCE_COLOR: '0' }, true), false);
  assert.equal(wantsColour({ FORCE_COLOR: '1', NO_COLOR: '1' }, true), false);
});

test('a coloured line resets its colours', () => {
  const { log, lines } = sink({ colour: true });
  log.error('e', { a: 1 });
  assert.ok(lines[0]?.includes('\u001b[31mERROR\u001b[39m'));
});
