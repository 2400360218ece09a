import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { qrCodeLines } from '../../../src/cli/terminal/qr-code.ts';
import { fakeContext } from '../../support/fake-context.ts';

const URL = `http://192.168.1.100:8080/#token=${'aB3_'.repeat(10)}xyz`;
const noReader = spawnSync('zbarimg', ['--version']).error && 'zbarimg is not installed';

/** The picture that a terminal shows, as a portable greymap: 8 dots for a module. */
function pictureOf(lines: readonly string[], drawnIs: 'black' | 'white'): Buffer {
  const dots = 8;
  const rows = lines.flatMap((line) => {
    const blocks = [...stripVTControlCharacters(line)];
    return ['▀█', '▄█'].map((full) =>
      blocks.map((block) => (full.includes(block) === (drawnIs === 'white') ? 255 : 0)),
    );
  });
  const width = (rows[0]?.length ?? 0) * dots;
  const large = rows.flatMap((row) => {
    const wide = row.flatMap((value) => new Array<number>(dots).fill(value));
    return new Array(dots).fill(wide).flat() as number[];
  });
  return Buffer.concat([
    Buffer.from(`P5 ${width} ${rows.length * dots} 255\n`),
    Buffer.from(large),
  ]);
}

function read(picture: Buffer): string {
  const { stdout } = spawnSync('zbarimg', ['--quiet', '--raw', '-'], { input: picture });
  return stdout.toString().trimEnd();
}

test('a camera reads the QR code off a terminal', { skip: noReader }, () => {
  const coloured = fakeContext({ outputIsTerminal: true });
  assert.equal(read(pictureOf(qrCodeLines(URL, coloured), 'black')), URL);
  const plain = fakeContext({ outputIsTerminal: true, environment: { NO_COLOR: '1' } });
  assert.equal(read(pictureOf(qrCodeLines(URL, plain), 'white')), URL);
});

test('the QR code of an address with a token fits a terminal of 80x24', () => {
  const lines = qrCodeLines(URL, fakeContext({ outputIsTerminal: true }));
  assert.ok(lines.length <= 22, `${lines.length} lines`);
});

test('on a terminal that is too narrow a sentence says how wide it has to be', () => {
  const narrow = fakeContext({ outputIsTerminal: true, outputColumns: 36 });
  assert.deepEqual(qrCodeLines(URL, narrow), [
    'the QR code needs a terminal of 37 columns; this one has 36',
  ]);
});
