// The oldest Node that runs all of Shoal, and what a person with an older one is told: Debian 12, for
// one, still brings Node 18.

/** The first release with crypto.hash(), which src/shared/hmac.ts stands on. */
const OLDEST = [20, 12] as const;

/**
 * @param version as process.versions.node has it, `20.12.0`
 * @returns what to tell the user; undefined where it is new enough
 */
export function nodeVersionFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined;
  return `Node ${OLDEST.join('.')} or newer is needed; this is ${version}: nodejs.org has newer ones, as have newer releases of the system`;
}
