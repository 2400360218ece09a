// Takes the place of node:fs in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import fs from 'fs';

export const {
  accessSync,
  chmodSync,
  chownSync,
  close,
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  open,
  openSync,
  promises,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writev,
} = fs;
