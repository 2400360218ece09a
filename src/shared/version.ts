// The version that the broker tells: `-version`, the start line, $SYS and the gossip metadata.

/** build.mjs puts package.json's version here; from source there is none. */
declare const SHOAL_VERSION: string | undefined;

export const version = typeof SHOAL_VERSION === 'undefined' ? '0.0.0-dev' : SHOAL_VERSION;
