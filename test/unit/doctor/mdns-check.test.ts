// What the doctor says of mDNS on each interface.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DoctorContext } from '../../../src/doctor/context.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { mdnsCheck } from '../../../src/doctor/mdns-check.ts';
import type { MdnsLinkView } from '../../../src/net/mdns/mdns-link.ts';

const WELL: MdnsLinkView = {
  interfaceName: 'eth0',
  isAnnounced: true,
  siteName: 'shoal.local',
  isSiteHeld: true,
  fault: undefined,
};

async function findingsOf(...mdns: MdnsLinkView[]): Promise<readonly Finding[]> {
  return mdnsCheck.run({ mdns } as unknown as DoctorContext);
}

test('each interface says where the name of the site leads', async () => {
  const findings = await findingsOf(WELL, { ...WELL, interfaceName: 'wlan0', isSiteHeld: false });
  assert.deepEqual(
    findings.map(({ level, text }) => `${level} ${text}`),
    [
      'ok mDNS on eth0 announces this box; shoal.local leads to this box',
      'ok mDNS on wlan0 announces this box; shoal.local leads to another box',
    ],
  );
});

test('an interface on which nothing leaves is a no-mdns warning with its reason', async () => {
  const [finding] = await findingsOf({ ...WELL, fault: 'another program uses this port' });
  assert.equal(finding?.fault, 'no-mdns');
  assert.match(finding?.text ?? '', /eth0.*another program uses this port/);
  assert.match(finding?.mend?.lines[0] ?? '', /eth0/);
});
