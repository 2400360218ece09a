// The sentence that names the worst of several faults, for the verdict of one node and for the dashboard,
// which joins the verdicts of all nodes. Pure.

import { formatNumber } from './units.ts';

/** @param faults the worst first; at least one. Their texts have no full stop */
export function faultSentence(faults: readonly { readonly text: string }[]): string {
  const [worst, ...others] = faults;
  const more = others.length === 0 ? '' : ` ${formatNumber(others.length, 'more fault')}.`;
  return `${capital(worst?.text ?? '')}.${more}`;
}

/** Names of nodes stay as they are. */
function capital(text: string): string {
  return /^(no|the|full) /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
