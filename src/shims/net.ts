// Takes the place of node:net in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import net from 'net';

export const { BlockList, connect, createServer, isIP, isIPv4, isIPv6, Socket } = net;
