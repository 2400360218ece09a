// A QR code on a terminal: two rows of modules in each line of text, by half blocks. With colours the code
// is black on white whatever the terminal's theme is; without them the light modules are drawn, as on a
// dark terminal, and a phone reads the inverse of it too. Source: ISO/IEC 18004.

import { correction, generate } from 'lean-qr/nano';
import type { CliContext } from '../context.ts';
import { wantsColour } from '../log.ts';
import { columnsOf } from './output.ts';

/** Light modules around the code. The standard has 4; phones need 2, and a terminal of 80x24 has no more. */
const MARGIN = 2;
const BLACK_ON_WHITE = '\u001b[30;107m';
const USUAL = '\u001b[0m';
/** By the upper module and the lower one, 1 where it is drawn. */
const BLOCKS = { '00': ' ', '01': '▄', '10': '▀', '11': '█' } as const;

/**
 * @param text to encode, at most some 2000 characters; the shorter, the easier to read for a camera
 * @returns the lines of the code; where the terminal is too narrow, a line that says so
 */
export function qrCodeLines(
  text: string,
  context: Pick<CliContext, 'environment' | 'outputIsTerminal' | 'outputColumns'>,
): string[] {
  const code = generate(text, { minCorrectionLevel: correction.L });
  const width = code.size + 2 * MARGIN;
  if (width > columnsOf(context)) {
    return [`the QR code needs a terminal of ${width} columns; this one has ${columnsOf(context)}`];
  }
  const isColoured = wantsColour(context.environment, context.outputIsTerminal);
  const module = (x: number, y: number): 0 | 1 => (code.get(x, y) === isColoured ? 1 : 0);
  const lines: string[] = [];
  for (let y = -MARGIN; y < code.size + MARGIN; y += 2) {
    let line = '';
    for (let x = -MARGIN; x < code.size + MARGIN; x++) {
      line += BLOCKS[`${module(x, y)}${module(x, y + 1)}`];
    }
    lines.push(isColoured ? BLACK_ON_WHITE + line + USUAL : line);
  }
  return lines;
}
