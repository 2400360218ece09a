// Takes the place of node:path in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import path from 'path';

export const { basename, delimiter, dirname, extname, isAbsolute, join, relative, resolve } = path;
