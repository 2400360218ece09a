import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import type { HostReach } from '../../../src/doctor/host-reach.ts';
import { type Evidence, peerFindings } from '../../../src/doctor/peer-findings.ts';

const address = '192.168.1.102';
const blocked = { in: 'blocked', out: 'blocked' } as const;

/** What the doctor says about a box none of whose datagrams arrive. */
function silentBox(reach: HostReach): string {
  const evidence: Evidence = {
    target: {
      name: 'box2',
      version: undefined,
      target: { gossip: { address, port: 7946 }, sync: { address, port: 7947 } },
    },
    report: { ways: { gossip: blocked, sync: blocked }, rttMs: {} } as Evidence['report'],
    strangers: [],
    isHeard: false,
    reach,
  };
  const [finding] = peerFindings({} as DoctorContext, evidence);
  assert.equal(finding?.fault, 'no-answer');
  return finding.text;
}

test('a box that refuses the MQTT port too has probably no node, whatever its kernel says of UDP', () => {
  const rest = { state: 'up', isPortClosed: false, isSendRefused: false } as const;
  const refused = silentBox({ ...rest, isMqttRefused: true });
  assert.match(refused, /on udp 7946 and 7947: no node runs there .*; or blocked there/);
  const open = silentBox({ ...rest, isMqttRefused: false });
  assert.match(open, /: blocked there, or another token or cluster name, or no node runs there$/);
});
