// A URL for a log line, an error or a process title: without user name, password and query, each of which
// may be a secret. Must not parse the text: what is no URL at all may contain a secret too.

/** @param text any text, usually a URL that someone has typed */
export function maskedUrl(text: string): string {
  return text.replace(/:\/\/.*@/s, '://***@').replace(/(:\/\/[^?]*)\?.*$/s, '$1?***');
}
