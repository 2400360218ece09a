// Takes the place of node:os in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import os from 'os';

export const {
  arch,
  availableParallelism,
  constants,
  cpus,
  hostname,
  networkInterfaces,
  platform,
  release,
  tmpdir,
  totalmem,
  type,
} = os;

export default os;
