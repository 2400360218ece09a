import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatInvitation, parseInvitation } from '../../../src/discovery/invitation.ts';
import { fnv1a } from '../../../src/shared/fnv1a.ts';
import { seededRandom } from '../../support/random.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const INVITATION = {
  secret: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  endpoints: [
    { address: '192.168.1.100', port: 7947 },
    { address: 'fd00::1', port: 7947 },
  ],
};
const LINE = formatInvitation(INVITATION);

test('a line is read back, whatever its case, hyphens and blanks are', () => {
  assert.match(LINE, /^SHOAL-[A-Z2-7]+$/);
  for (const line of [LINE, LINE.toLowerCase(), ` ${LINE.match(/.{1,8}/g)?.join('- ')}\n`]) {
    assert.deepEqual(parseInvitation(line), INVITATION);
  }
});

test('a line has the documented form', () => {
  const one = { ...INVITATION, endpoints: INVITATION.endpoints.slice(0, 1) };
  assert.equal(formatInvitation(one), 'SHOAL-AEAACAQDAQCQMBYIBEFAWDANBYHR6CYBATAKQALE25YQ4VQ');
});

test('an altered, cut or lengthened line is no invitation', () => {
  for (let at = 'SHOAL-'.length; at < LINE.length; at++) {
    for (const other of 'A7') {
      if (LINE[at] === other) continue;
      assert.equal(parseInvitation(LINE.slice(0, at) + other + LINE.slice(at + 1)), undefined);
    }
    assert.equal(parseInvitation(LINE.slice(0, at)), undefined);
  }
  assert.equal(parseInvitation(`${LINE}A`), undefined);
  assert.equal(parseInvitation(''), undefined);
});

test('a line that ends behind its version is no invitation, though its check is right', () => {
  const bytes = Buffer.of(1, 0, 0, 0, 0);
  bytes.writeInt32BE(fnv1a(bytes, 0, 1), 1);
  const bits = BigInt(`0x${bytes.toString('hex')}`)
    .toString(2)
    .padStart(40, '0');
  const digits = bits.match(/.{5}/g)?.map((five) => BASE32[Number.parseInt(five, 2)]);
  assert.equal(parseInvitation(`SHOAL-${digits?.join('')}`), undefined);
});

test('a line with more than four addresses, or of any length, is no invitation', () => {
  const endpoint = INVITATION.endpoints[1]!;
  const withAddresses = (count: number): string =>
    formatInvitation({ ...INVITATION, endpoints: new Array(count).fill(endpoint) });
  assert.equal(parseInvitation(withAddresses(4))?.endpoints.length, 4);
  for (const count of [0, 5, 200]) assert.equal(parseInvitation(withAddresses(count)), undefined);
  assert.equal(parseInvitation(`${LINE}${' '.repeat(1_000_000)}`), undefined);
});

test('no random line is an invitation', () => {
  const random = seededRandom(5);
  for (let run = 0; run < 5000; run++) {
    const length = Math.floor(random() * 100);
    const digits = Array.from({ length }, () => BASE32[Math.floor(random() * 32)]);
    assert.equal(parseInvitation(`SHOAL-${digits.join('')}`), undefined);
  }
});
