import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AntiEntropy } from '../../../src/replica/anti-entropy.ts';
import { RegisterMap } from '../../../src/replica/register-map.ts';
import type { RepairPort, Request } from '../../../src/replica/repair-port.ts';

const OURS = 1n;
const FIRST = 2n;
const SECOND = 3n;
/** A writer that is gone; the second member has replaced its only write. */
const WRITER = 9n;
const RANGE = { from: 1, to: 1 };

function setUp() {
  const requests: { readonly to: bigint; readonly request: Request }[] = [];
  const port: RepairPort = {
    sendDigest: () => undefined,
    sendRequest: (to, request) => requests.push({ to, request }),
    sendBlock: () => undefined,
    measure: () => 0,
    blockBytes: 1000,
    mayAsk: () => true,
    isReady: () => true,
  };
  const map = new RegisterMap(OURS, { registersMax: 10 });
  const repair = new AntiEntropy(map, port);
  repair.setMembers([FIRST, SECOND], 0);
  /** The second member sends the log of the writer, which is empty by now. */
  const fetchFromSecond = (): void => {
    repair.handleDigest(SECOND, [{ writer: WRITER, known: [RANGE] }], 0);
    const { id } = requests.at(-1)!.request;
    const block = { requestId: id, range: { writer: WRITER, ...RANGE }, isLast: true };
    repair.handleBlock(SECOND, block, 1);
  };
  return { requests, map, repair, fetchFromSecond };
}

test('a range fetched from a member that dies is fetched again from another one', () => {
  const { requests, map, repair, fetchFromSecond } = setUp();
  fetchFromSecond();
  assert.equal(requests.length, 1);
  // What replaced the write was in the log of the second member, and is lost with it.
  repair.setMembers([FIRST], 2);
  assert.equal(map.log(WRITER), undefined);
  repair.handleDigest(FIRST, [{ writer: WRITER, known: [RANGE] }], 3);
  assert.equal(requests.length, 2);
  assert.equal(requests[1]?.to, FIRST);
});

test('a fetched range counts as known once a later digest lacks nothing here', () => {
  const { requests, map, repair, fetchFromSecond } = setUp();
  fetchFromSecond();
  repair.handleDigest(SECOND, [{ writer: WRITER, known: [RANGE] }], 2);
  assert.equal(map.log(WRITER)?.coverage.position, 1);
  repair.handleDigest(FIRST, [{ writer: WRITER, known: [RANGE] }], 3);
  assert.equal(requests.length, 1);
});
