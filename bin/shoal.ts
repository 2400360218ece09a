#!/usr/bin/env node
// The program: joins the command line to this process.

import '../src/cli/early-hangup.ts';

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { secretAsker } from '../src/cli/ask-secret.ts';
import { commandOf } from '../src/cli/banner.ts';
import { exitCodes } from '../src/cli/exit-codes.ts';
import { main } from '../src/cli/main.ts';
import { nodeVersionFault } from '../src/cli/node-version.ts';
import { hideSecrets } from '../src/cli/process-title.ts';

const tokens = process.argv.slice(2);
hideSecrets(tokens);

const fault = nodeVersionFault(process.versions.node);
if (fault !== undefined) {
  process.stderr.write(`shoal: ${fault}\n`);
  // Starting again won't help.
  process.exit(exitCodes.usage);
}

const environment = { ...process.env };
delete process.env.SHOAL_CSK;

// Whoever reads our output may go away (`shoal | head`): a broker goes on without its log.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

// Node would print the line of the fault, and that is the whole minified file.
process.on('uncaughtException', (error) => {
  process.stderr.write(`shoal: ${error.stack ?? error.message}\n`);
  process.exit(exitCodes.failure);
});

void main(tokens, {
  environment,
  hostName: hostname(),
  command: commandOf(process.argv[1] ?? 'shoal', process.cwd()),
  outputIsTerminal: process.stdout.isTTY === true,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  readFile: (path) => readFileSync(path, 'utf8'),
  askSecret: secretAsker(
    () => process.stdin,
    (text) => process.stderr.write(text),
  ),
  onSignal: (signal, handler) => {
    process.removeAllListeners(signal).on(signal, handler);
  },
  exit: (code) => process.exit(code),
  exitCode: 0,
}).then((code) => process.exit(code));
