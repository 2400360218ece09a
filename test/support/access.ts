// An AccessControl over files of its own, for tests, and the logins that the tests try.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { TestContext } from 'node:test';
import { AccessControl, type AccessOptions } from '../../src/auth/access-control.ts';
import { hashPassword } from '../../src/auth/password-hash.ts';
import type { AuthDecision, ConnectRequest, Identity } from '../../src/broker/ports.ts';
import type { ListenerAccess } from '../../src/shared/listener-config.ts';
import { silentLogger } from '../../src/shared/logger.ts';

export const none: AccessOptions = {
  listeners: [],
  anonymousAllowed: undefined,
  tokenKeyFile: undefined,
  tokenIssuer: undefined,
  tokenAudience: undefined,
  authUrl: undefined,
  authFormat: 'form',
  authCacheSeconds: 60,
  loginIpv4Bits: 32,
};
export const SECRET = 'a secret that has thirty-two bytes or more';

/** The files of one test, and an AccessControl that uses them. */
export async function setUp(
  t: TestContext,
  files: Readonly<Record<string, string | Buffer>>,
  given: Partial<AccessOptions & ListenerAccess> = {},
  log = silentLogger,
) {
  const folder = await mkdtemp(join(tmpdir(), 'access-'));
  t.after(() => rm(folder, { recursive: true }));
  const write = (name: string, text: string | Buffer) => writeFile(join(folder, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  const pathOf = (name: string) => (name in files ? join(folder, name) : undefined);
  const { aclFile = pathOf('acl'), anonymous, ...others } = given;
  const passwordFile = pathOf('pw');
  const node = { id: 'tcp', place: '-port', passwordFile, aclFile, anonymous, tls: undefined };
  const options: AccessOptions = {
    ...none,
    tokenKeyFile: pathOf('key'),
    listeners: [node],
    ...others,
  };
  const access = await AccessControl.open(options, {
    log,
    now: () => performance.now(),
    wallClock: Date.now,
  });
  t.after(() => access.close());
  const reload = (next: Partial<AccessOptions> = {}, kept?: ReadonlySet<string>) =>
    access.reload({ ...options, ...next }, kept);
  return { access, write, folder, reload, node };
}

export function login(
  access: AccessControl,
  username: string | undefined,
  password: string | undefined,
  listener: ConnectRequest['listener'] = { name: 'tcp' },
): Promise<AuthDecision> {
  const request = {
    clientId: 'c1',
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    remoteAddress: '127.0.0.1',
    listener,
  };
  return new Promise((resolve) => {
    const decision = access.authenticate(request, resolve);
    if (decision !== undefined) resolve(decision);
  });
}

export async function codeOf(...args: Parameters<typeof login>): Promise<number> {
  return (await login(...args)).reasonCode;
}

export async function identity(...args: Parameters<typeof login>): Promise<Identity> {
  const { reasonCode, username = args[1], grant } = await login(...args);
  assert.equal(reasonCode, 0);
  return { clientId: 'c1', username, grant };
}

export async function passwords(users: Readonly<Record<string, string>>): Promise<string> {
  const lines = Object.entries(users).map(
    async ([name, pw]) => `${name}:${await hashPassword(pw, 50)}\n`,
  );
  return (await Promise.all(lines)).join('');
}

export function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}
