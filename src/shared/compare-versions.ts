// The order of versions.

/** By their numbers: 0.10.0 is newer than 0.9.2. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
