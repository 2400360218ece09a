// Takes the place of node:perf_hooks in the bundle. Its clock is a global of Node as well: as an import, each of
// 59 modules would require the module and look the clock up in it at every reading.

export const { performance } = globalThis;
