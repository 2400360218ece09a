// Text of HTML and SVG for the report of a run.

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** @param at milliseconds since the start of the run */
export function seconds(at: number): string {
  return `${(at / 1000).toFixed(1)} s`;
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
