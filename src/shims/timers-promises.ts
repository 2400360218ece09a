// Takes the place of node:timers/promises in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import timers from 'timers/promises';

export const { setImmediate, setTimeout } = timers;
