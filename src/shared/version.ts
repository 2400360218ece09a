// The version of the program, for `-version`, the first log lines, $SYS and the gossip metadata.

/** build.mjs replaces it by the version in package.json; in the sources it does not exist. */
declare const SHOAL_VERSION: string | undefined;

export const version = typeof SHOAL_VERSION === 'undefined' ? '0.0.0-dev' : SHOAL_VERSION;
