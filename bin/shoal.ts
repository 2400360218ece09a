#!/usr/bin/env node
// The program: connects the command line to this process. Knows no command and no option.

import '../src/cli/early-signals.ts';

import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { secretAsker } from '../src/cli/ask-secret.ts';
import { commandOf } from '../src/cli/banner.ts';
import { tuneCollector } from '../src/cli/collector.ts';
import { exitCodes } from '../src/cli/exit-codes.ts';
import { main } from '../src/cli/main.ts';
import { nodeVersionFault } from '../src/cli/node-version.ts';
import { flush, nonBlockingWriter } from '../src/cli/non-blocking-writer.ts';
import { hideSecrets } from '../src/cli/process-title.ts';
import { isJournal, JOURNAL_PREFIX } from '../src/cli/service-manager.ts';
import { readKeys } from '../src/cli/terminal/keys.ts';
import { usableMemory } from '../src/cli/usable-memory.ts';

const tokens = process.argv.slice(2);
hideSecrets(tokens);

tuneCollector();
const fault = nodeVersionFault(process.versions.node);
if (fault !== undefined) {
  process.stderr.write(`shoal: ${fault}\n`);
  // A service manager must not start it again: the next start fails too.
  process.exit(exitCodes.usage);
}

// Child processes inherit process.env; the cluster token is not for them.
const environment = { ...process.env };
delete process.env.SHOAL_CSK;

// The reader of the output may exit first (`shoal | head`). The broker continues without its log.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

// Node's own report would start with a line of minified code.
process.on('uncaughtException', (error) => {
  process.stderr.write(`shoal: ${error.stack ?? error.message}\n`);
  process.exit(exitCodes.failure);
});

const isTerminal = process.stdout.isTTY === true;
const errorPrefix = isJournal(environment, process.stderr.fd) ? JOURNAL_PREFIX.error : '';

void main(tokens, {
  environment,
  hostName: hostname(),
  memoryBytes: usableMemory(),
  command: commandOf(process.argv[1] ?? 'shoal', isTerminal ? process.cwd() : undefined),
  outputIsTerminal: isTerminal,
  outputIsJournal: isJournal(environment, process.stdout.fd),
  get outputColumns() {
    return process.stdout.columns || 80;
  },
  get outputRows() {
    return process.stdout.rows || 24;
  },
  errorIsTerminal: process.stderr.isTTY === true,
  write: (output) => process.stdout.write(output),
  writeLog: nonBlockingWriter(process.stdout),
  writeError: (text) => process.stderr.write(errorPrefix + text),
  readFile: (path) => readFileSync(path, 'utf8'),
  listFolder: (path) => readdirSync(path),
  readInput: () => text(process.stdin),
  get input() {
    return process.stdin;
  },
  onKey: (handler) => readKeys(process.stdin, handler),
  onOutputClosed: (handler) => process.stdout.on('error', handler),
  askSecret: secretAsker(
    () => process.stdin,
    (text) => process.stderr.write(text),
  ),
  onSignal: (signal, handler) => {
    process.removeAllListeners(signal).on(signal, handler);
  },
  exit: (code) => process.exit(code),
  exitCode: 0,
}).then(async (code) => {
  await flush(process.stdout);
  process.exit(code);
});
