// The oldest Node release that runs Shoal, and the error for an older one: Debian 12, for example,
// still ships Node 18.

/** The first release with crypto.hash(), which src/shared/hmac.ts needs. */
const OLDEST = [20, 12] as const;

/**
 * @param version process.versions.node: `20.12.0`
 * @returns the error for the user; undefined if the version is new enough
 */
export function nodeVersionFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Node ${OLDEST.join('.')} or newer is required, and this is ${version}; nodejs.org or a newer release of the system has one`;
}
