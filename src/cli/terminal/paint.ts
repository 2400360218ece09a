// The few colours of the commands and of the log, by what they mean. Plain text where the output is no terminal, or
// NO_COLOR is set. Source: ECMA-48, Select Graphic Rendition.

import type { CliContext } from '../context.ts';

export type Style = 'plain' | 'bold' | 'dim' | 'good' | 'warning' | 'bad';
export type Paint = Readonly<Record<Style, (text: string) => string>>;

const PLAIN: Paint = {
  plain: String,
  bold: String,
  dim: String,
  good: String,
  warning: String,
  bad: String,
};
const COLOURED: Paint = {
  plain: String,
  bold: rendition(1, 22),
  dim: rendition(90, 39),
  good: rendition(32, 39),
  warning: rendition(33, 39),
  bad: rendition(31, 39),
};

export function paintFor({
  environment,
  outputIsTerminal,
}: Pick<CliContext, 'environment' | 'outputIsTerminal'>): Paint {
  return paintIf(wantsColour(environment, outputIsTerminal));
}

export function paintIf(isColoured: boolean): Paint {
  return isColoured ? COLOURED : PLAIN;
}

/** NO_COLOR and FORCE_COLOR as on no-color.org and force-color.org. */
export function wantsColour(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return !/^(0|false)$/.test(FORCE_COLOR);
  return isTerminal && TERM !== 'dumb';
}

function rendition(begin: number, end: number): (text: string) => string {
  return (text) => (text === '' ? '' : `\u001b[${begin}m${text}\u001b[${end}m`);
}
