import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockSender } from '../../../src/replica/block-sender.ts';
import type { Register } from '../../../src/replica/register.ts';
import { RegisterMap } from '../../../src/replica/register-map.ts';
import type { Block, LogRange, RepairPort } from '../../../src/replica/repair-port.ts';

const WRITER = 1n;
const MEMBER = 2n;

/** A member with ten writes of ten keys, of which blocks of two registers are sent. */
function setUp() {
  const sent: Block<Register>[] = [];
  const port: RepairPort = {
    sendDigest: () => undefined,
    sendRequest: () => undefined,
    sendBlock: (_to, block) => sent.push(block as Block<Register>),
    measure: () => 1,
    blockBytes: 2,
    mayAsk: () => true,
    isReady: () => true,
  };
  const map = new RegisterMap(WRITER, { registersMax: 100 });
  for (let key = 1; key <= 10; key++) map.write(`key ${key}`, true, key);
  const sender = new BlockSender(map, port);
  const answer = (...ranges: Omit<LogRange, 'writer'>[]) => {
    const asked = ranges.map((range) => ({ writer: WRITER, ...range }));
    sender.handleRequest(MEMBER, { id: 1, ranges: asked }, 0);
    for (let now = 0; sender.deadline < Number.POSITIVE_INFINITY; now += 10) sender.advance(now);
    return sent.map(({ range, isLast }) => `${range.from}-${range.to}${isLast ? ' last' : ''}`);
  };
  return { map, answer };
}

test('each range of a request is answered, and what lies between them is not', () => {
  assert.deepEqual(setUp().answer({ from: 2, to: 3 }, { from: 6, to: 8 }), [
    '2-3',
    '6-7',
    '8-8 last',
  ]);
});

test('a range without current writes is answered once, by an empty block', () => {
  const { map, answer } = setUp();
  map.write('key 4', true, 11);
  assert.deepEqual(answer({ from: 4, to: 4 }, { from: 9, to: 9 }), ['4-4', '9-9 last']);
});

test('a range that is not known here is passed over', () => {
  assert.deepEqual(setUp().answer({ from: 20, to: 30 }, { from: 10, to: 12 }), ['10-10 last']);
});
