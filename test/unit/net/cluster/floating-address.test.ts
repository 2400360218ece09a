import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FloatingAddress } from '../../../../src/net/cluster/floating-address.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

function withHook(t: TestContext, exitCode: number) {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-hook-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [hook, calls] = [join(folder, 'hook'), join(folder, 'calls')];
  writeFileSync(hook, `#!/bin/sh\necho "$@" >> '${calls}'\nexit ${exitCode}\n`);
  chmodSync(hook, 0o755);
  let failures = 0;
  const address = new FloatingAddress({
    address: '192.168.1.10',
    prefixBits: 24,
    hook,
    log: silentLogger,
    onFailed: () => {
      failures += 1;
    },
  });
  return { address, calls: () => readFileSync(calls, 'utf8'), failures: () => failures };
}

function until(isReached: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      if (!isReached()) return;
      clearInterval(look);
      resolve();
    }, 10);
  });
}

test('the hook takes and releases the address, once each', async (t) => {
  const { address, calls } = withHook(t, 0);
  address.hold(true);
  address.hold(true);
  await until(() => address.isHeld);
  await address.close();
  await address.close();
  assert.equal(calls(), 'take 192.168.1.10/24\nrelease 192.168.1.10/24\n');
  assert.equal(address.isHeld, false);
});

test('where the hook fails the address is left to another node', async (t) => {
  const { address, failures } = withHook(t, 1);
  address.hold(true);
  await until(() => failures() > 0);
  assert.equal(address.isHeld, false);
  await address.close();
});

test('an order that is taken back at once calls nothing', async (t) => {
  const { address, calls } = withHook(t, 0);
  address.hold(true);
  await address.close();
  assert.throws(calls, /ENOENT/);
});
