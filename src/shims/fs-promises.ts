// Takes the place of node:fs/promises in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import fs from 'fs/promises';

export const {
  access,
  chown,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  writeFile,
} = fs;
