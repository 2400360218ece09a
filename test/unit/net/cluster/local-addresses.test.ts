import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalAddresses } from '../../../../src/net/cluster/local-addresses.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';

test('without a file descriptor the addresses cannot be listed: counted and logged, never thrown', () => {
  const lines: unknown[] = [];
  const log = {
    ...silentLogger,
    warn: (event: string, fields?: object) => lines.push([event, fields]),
  };
  // As Node throws it from os.networkInterfaces().
  const refused = Object.assign(new Error('A system error occurred: uv_interface_addresses'), {
    code: 'ERR_SYSTEM_ERROR',
    info: { errno: 24, code: 'Unknown system error 24', syscall: 'uv_interface_addresses' },
  });
  const addresses = new LocalAddresses(log, () => {
    throw refused;
  });
  assert.equal(addresses.has('192.168.1.100'), false);
  assert.equal(addresses.failures, 1);
  const reason =
    'this process has no file descriptor left; raise its limit (ulimit -n, LimitNOFILE=)';
  assert.deepEqual(lines, [['the addresses of this machine cannot be listed', { reason }]]);
});

test('a list of addresses serves many questions', () => {
  let lists = 0;
  const addresses = new LocalAddresses(silentLogger, () => {
    lists += 1;
    return ['192.168.1.100', 'fd00::1'];
  });
  assert.ok(addresses.has('192.168.1.100'));
  assert.ok(addresses.has('fd00::1'));
  assert.ok(!addresses.has('192.168.1.101'));
  assert.equal(lists, 1);
});

test('the loopback address is one of this machine', () => {
  assert.ok(new LocalAddresses(silentLogger).has('127.0.0.1'));
});
