// Measures what a flood of logins with wrong passwords, each from another IPv6 /64, does to clients of a
// site whose address has logged in before: how many are refused as too many, and how long the others wait.
//   node --import tsx test/attack/logins.ts

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessControl } from '../../src/auth/access-control.ts';
import { setUser } from '../../src/auth/password-file.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import type { AuthDecision } from '../../src/broker/ports.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { none } from '../support/access.ts';

const USERS = 100;
const WAITING = 4000;
const SECONDS = 10;
const HONEST_EVERY_MS = 100;
const SERVER_BUSY = 0x89;

const folder = mkdtempSync(join(tmpdir(), 'logins-'));
const passwordFile = join(folder, 'pw');
const hash = await hashPassword('right', 20_000);
let source = '';
for (let i = 0; i < USERS; i++) source = setUser(source, `user${i}`, hash);
writeFileSync(passwordFile, source);
const listener = { id: 'tcp', place: '-port', passwordFile, aclFile: undefined };
const access = await AccessControl.open(
  { ...none, listeners: [{ ...listener, anonymous: false, tls: undefined }] },
  { log: silentLogger, now: () => performance.now(), wallClock: Date.now },
);

function login(username: string, password: string, remoteAddress: string): Promise<AuthDecision> {
  return new Promise((resolve) => {
    const listener = { name: 'tcp' };
    const request = { clientId: username, username, remoteAddress, listener };
    const decision = access.authenticate({ ...request, password: Buffer.from(password) }, (later) =>
      resolve(later),
    );
    if (decision !== undefined) resolve(decision);
  });
}

let attempts = 0;
let isOver = false;
async function stranger(): Promise<void> {
  while (!isOver) {
    attempts += 1;
    const network = (attempts % 60_000).toString(16);
    await login(`stranger${attempts}`, 'guess', `2001:db8:1:${network}::1`);
    await new Promise((next) => setImmediate(next));
  }
}

await login('user0', 'right', '192.0.2.1');
for (let i = 0; i < WAITING; i++) void stranger();
const waits: number[] = [];
let busy = 0;
let asked = 0;
const honest: Promise<void>[] = [];
const until = performance.now() + SECONDS * 1000;
for (let i = 1; performance.now() < until; i++) {
  const startedAt = performance.now();
  asked += 1;
  honest.push(
    login(`user${i % USERS}`, 'right', '192.0.2.1').then(({ reasonCode }) => {
      if (reasonCode === SERVER_BUSY) busy += 1;
      else waits.push(performance.now() - startedAt);
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, HONEST_EVERY_MS));
}
await Promise.all(honest);
isOver = true;
waits.sort((a, b) => a - b);
const at = (share: number): string => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(0);
process.stdout.write(
  `${attempts} logins of strangers; of ${asked} honest logins ${busy} were refused as too many (0x89); ` +
    `the others waited p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`,
);
rmSync(folder, { recursive: true });
process.exit();
