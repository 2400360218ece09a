// The few colours of the commands, by what they mean. Plain text where the output is no terminal, or
// NO_COLOR is set.

import { Chalk } from 'chalk';
import type { CliContext } from '../context.ts';
import { wantsColour } from '../log.ts';

export type Style = 'plain' | 'bold' | 'dim' | 'good' | 'warning' | 'bad';
export type Paint = Readonly<Record<Style, (text: string) => string>>;

export function paintFor(context: Pick<CliContext, 'environment' | 'outputIsTerminal'>): Paint {
  const isColoured = wantsColour(context.environment, context.outputIsTerminal);
  const { bold, gray, green, yellow, red } = new Chalk({ level: isColoured ? 1 : 0 });
  return { plain: String, bold, dim: gray, good: green, warning: yellow, bad: red };
}
