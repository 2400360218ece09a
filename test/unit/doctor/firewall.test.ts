import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  droppingChains,
  type FirewallKind,
  findFirewall,
  networkOf,
  openingLines,
} from '../../../src/doctor/firewall.ts';
import { type Machine, thisMachine } from '../../../src/doctor/machine.ts';

const RULES = `table inet filter {
	chain input { # handle 1
		type filter hook input priority filter; policy drop;
		ct state established accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
	chain output {
		type filter hook output priority filter; policy accept;
		udp dport 7946 reject
	}
}
table inet other {
	chain quiet {
		type filter hook input priority filter; policy accept;
		tcp dport 22 accept
	}
}
`;

/** A machine with these programs' outputs and files. */
function machineWith(
  outputs: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
  platform = 'linux',
): Machine {
  return {
    ...thisMachine,
    platform,
    readFile: (path) => files[path],
    run: (program) => Promise.resolve(outputs[program]),
  };
}

test('the chains that drop datagrams are found by their hook', () => {
  assert.deepEqual(droppingChains(RULES), {
    in: ['inet filter input'],
    out: ['inet filter output'],
  });
});

test('the firewall that is really there is found', async () => {
  const kindOf = async (machine: Machine): Promise<FirewallKind> =>
    (await findFirewall(machine)).kind;
  assert.equal(await kindOf(machineWith({}, { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' })), 'ufw');
  assert.equal(await kindOf(machineWith({ 'firewall-cmd': 'running\n' })), 'firewalld');
  assert.equal(await kindOf(machineWith({ nft: RULES })), 'nft');
  assert.equal(await kindOf(machineWith({ iptables: '-P INPUT DROP\n' })), 'iptables');
  const compatible = RULES.replaceAll('inet filter', 'ip filter').replaceAll('put {', 'PUT {');
  assert.equal(
    await kindOf(
      machineWith({
        nft: compatible.replace('chain in', 'chain IN').replace('chain out', 'chain OUT'),
      }),
    ),
    'iptables',
    'its rules appear in nft too',
  );
  assert.equal(await kindOf(machineWith({}, { '/etc/ufw/ufw.conf': 'ENABLED=no\n' })), 'none');
  assert.equal(await kindOf(machineWith({}, {}, 'win32')), 'windows');
});

test('each firewall has its own line', () => {
  const chains = { in: ['inet fw input'], out: [] };
  const lineOf = (kind: FirewallKind, direction: 'in' | 'out' = 'in') =>
    openingLines({ kind, chains }, direction, [7946, 7947], '192.168.1.0/24');
  assert.deepEqual(lineOf('ufw'), [
    'ufw allow from 192.168.1.0/24 to any port 7946:7947 proto udp',
  ]);
  assert.deepEqual(lineOf('firewalld'), [
    'firewall-cmd --permanent --add-port=7946-7947/udp',
    'firewall-cmd --reload',
  ]);
  assert.deepEqual(lineOf('nft'), [
    'nft insert rule inet fw input udp dport { 7946, 7947 } accept',
  ]);
  assert.deepEqual(lineOf('iptables'), [
    'iptables -I INPUT -s 192.168.1.0/24 -p udp --dport 7946:7947 -j ACCEPT',
  ]);
  assert.deepEqual(lineOf('iptables', 'out'), [
    'iptables -I OUTPUT -p udp --dport 7946:7947 -j ACCEPT',
  ]);
  assert.deepEqual(lineOf('windows'), [
    'netsh advfirewall firewall add rule name=Shoal dir=in action=allow protocol=UDP localport=7946-7947',
  ]);
});

test('the network of an interface is what a line lets in', () => {
  const interfaces = [
    { address: '10.0.0.7', prefixBits: 8, isIpv6: false },
    { address: '192.168.1.100', prefixBits: 24, isIpv6: false },
    { address: 'fd00::1', prefixBits: 64, isIpv6: true },
  ];
  assert.equal(networkOf('192.168.1.102', interfaces), '192.168.1.0/24');
  assert.equal(networkOf('fd00::9', interfaces), 'fd00::/64');
  assert.equal(networkOf('203.0.113.5', interfaces), '203.0.113.5', 'behind a router');
});
