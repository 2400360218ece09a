// A text that keeps no other text in memory. V8 makes a longer slice of a string as a view of the whole
// string, so a short piece of a long text that is kept would keep all of it.

/** V8 copies shorter slices. */
const SLICED_CHARS_MIN = 13;

/** @param text a slice, or several texts joined; well-formed UTF-16 */
export function ownText(text: string): string {
  return text.length < SLICED_CHARS_MIN ? text : Buffer.from(text, 'utf8').toString('utf8');
}
