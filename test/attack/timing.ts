// Measures whether the time of an answer gives away what it should not: whether a user exists, and whether the id of a token
// does. Pairs of calls in turn, and Welch's t of their logarithms; beyond 4.5 the difference is no chance. Nothing here passes
// or fails: test/unit/auth/equal-work.test.ts counts the work.
//   node --import tsx test/attack/timing.ts [--pairs 300]

import { FairQueue } from '../../src/auth/fair-queue.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import { PasswordVerifier } from '../../src/auth/password-verifier.ts';
import { TokenStore } from '../../src/http/token-store.ts';

const at = process.argv.indexOf('--pairs');
const pairs = at < 0 ? 300 : Number(process.argv[at + 1]);
const SUSPICIOUS_T = 4.5;

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const startedAt = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - startedAt) / 1e6;
}

const meanOf = (list: readonly number[]): number =>
  list.reduce((sum, one) => sum + one, 0) / list.length;

function varianceOf(list: readonly number[]): number {
  const mean = meanOf(list);
  return list.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (list.length - 1);
}

function welch(one: readonly number[], other: readonly number[]): number {
  const spread = varianceOf(one) / one.length + varianceOf(other) / other.length;
  return (meanOf(one) - meanOf(other)) / Math.sqrt(spread);
}

async function compare(
  what: string,
  one: () => Promise<unknown>,
  other: () => Promise<unknown>,
): Promise<void> {
  const times: [number[], number[]] = [[], []];
  for (let pair = 0; pair < pairs; pair++) {
    // The second of two calls may find warmer caches.
    const order = pair % 2 === 0 ? [0, 1] : [1, 0];
    for (const which of order) times[which]!.push(await timeOf(which === 0 ? one : other));
  }
  const [first, second] = times.map((list) => list.toSorted((a, b) => a - b)[pairs >> 1]!);
  const t = welch(times[0].map(Math.log), times[1].map(Math.log));
  const verdict = Math.abs(t) > SUSPICIOUS_T ? 'differs' : 'no difference';
  console.log(
    `${what}: median ${first!.toFixed(3)} and ${second!.toFixed(3)} ms, t ${t.toFixed(1)}: ${verdict}`,
  );
}

const users = new Map([['ann', await hashPassword('right')]]);
const limits = { parallelMax: 1, waitingMax: 10, waitMsMax: 5000 };
const verifier = new PasswordVerifier(users, new FairQueue(limits, () => performance.now()));
const wrong = Buffer.from('wrong');
await compare(
  'wrong password, unknown user',
  () => verifier.check('ann', wrong),
  () => verifier.check('eve', wrong),
);
const store = await TokenStore.open(undefined);
const [id = ''] = (await store.issue()).split('.');
await compare(
  'wrong secret of a token, unknown id',
  () => store.verify(`${id}.wrong`),
  () => store.verify('AAAAAAAA.wrong'),
);
