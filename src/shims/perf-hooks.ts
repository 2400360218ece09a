// Takes the place of node:perf_hooks in the bundle: one require for all modules, of which each would look the clock
// up at every reading. The global of the same name has no eventLoopUtilization() in Bun.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import hooks from 'perf_hooks';

export const { performance } = hooks;
