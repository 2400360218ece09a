import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProxyHeader } from '../../../../src/net/clients/proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

function parseLine(line: string) {
  return parseProxyHeader(Buffer.from(line, 'latin1'));
}

function parseHex(hex: string) {
  return parseProxyHeader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('version 1 contains the source of TCP over IPv4 and IPv6', () => {
  const line = 'PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883\r\n';
  assert.deepEqual(parseLine(`${line}\x10\x0c`), {
    bytes: line.length,
    source: { address: '203.0.113.7', port: 40_000 },
  });
  const six = 'PROXY TCP6 2001:DB8:0:0::7 ::1 65535 0\r\n';
  assert.deepEqual(parseLine(six), {
    bytes: six.length,
    source: { address: '2001:db8::7', port: 65_535 },
  });
  const mapped = parseLine('PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n');
  assert.deepEqual(mapped, { bytes: 36, source: { address: '10.0.0.1', port: 1 } });
});

test('version 1 may have no source', () => {
  for (const line of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ff:: ff:: 1 2\r\n']) {
    assert.deepEqual(parseLine(line), { bytes: line.length, source: undefined });
  }
});

test('a version 1 line that deviates from the format is invalid', () => {
  for (const line of [
    'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n',
    'PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY \r\n',
    'proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'x'.repeat(200)}`,
  ]) {
    assert.equal(parseLine(line), 'invalid', line);
  }
});

test('the longest line of version 1 is accepted, and no longer one', () => {
  const address = 'ffff:f...f:ffff'.replace('f...f', Array(6).fill('ffff').join(':'));
  const line = `PROXY TCP6 ${address} ${address} 65535 65535\r\n`;
  assert.deepEqual(parseLine(line), { bytes: line.length, source: { address, port: 65_535 } });
  assert.equal(parseLine(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`) !== 'invalid', true);
});

test('version 2 contains the source, and its TLVs are skipped', () => {
  const four = `${SIGNATURE} 21 11 000f cb007108 00000000 b3af 075b 040000`;
  assert.deepEqual(parseHex(`${four} 10`), {
    bytes: 31,
    source: { address: '203.0.113.8', port: 45_999 },
  });
  const from = '20010db8000000000000000000000007';
  const six = `${SIGNATURE} 21 21 0024 ${from} ${from} 0001 0002`;
  assert.deepEqual(parseHex(six), { bytes: 52, source: { address: '2001:db8::7', port: 1 } });
});

test('version 2 may describe the proxy itself (LOCAL) or a Unix socket', () => {
  for (const hex of ['20 00 0000', '20 11 0000', '21 00 0003 ffffff']) {
    const bytes = 16 + hex.replaceAll(' ', '').length / 2 - 4;
    assert.deepEqual(parseHex(`${SIGNATURE} ${hex}`), { bytes, source: undefined });
  }
  const unix = parseHex(`${SIGNATURE} 21 31 00d8 ${'00'.repeat(216)}`);
  assert.deepEqual(unix, { bytes: 232, source: undefined });
});

test('another version, command, family or a short or huge block is invalid', () => {
  for (const hex of [
    '11 11 000c',
    '22 11 000c',
    '21 12 000c cb007108 00000000 b3af 075b',
    '21 41 0000',
    '21 11 000b cb007108 00000000 b3af 07',
    '21 21 000c cb007108 00000000 b3af 075b',
    '21 31 0001 00',
    '21 11 0801',
    '20 11 ffff',
  ]) {
    assert.equal(parseHex(`${SIGNATURE} ${hex}`), 'invalid', hex);
  }
});

test('every beginning of a header is incomplete, and other bytes are invalid at once', () => {
  for (const whole of [
    Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 40000 1883\r\n'),
    Buffer.from(`${SIGNATURE}2111000ccb00710800000000b3af075b`, 'hex'),
  ]) {
    for (let length = 0; length < whole.length; length++) {
      assert.equal(parseProxyHeader(whole.subarray(0, length)), 'incomplete', `${length}`);
    }
    assert.equal(typeof parseProxyHeader(whole), 'object');
  }
  for (const first of ['\x10', 'G', '\x16\x03\x01', 'PROXZ', '\r\n\r\nx']) {
    assert.equal(parseLine(first), 'invalid', first);
  }
});
