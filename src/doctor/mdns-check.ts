// Whether clients on the same network find this node by mDNS. Without a node there is nothing to find.

import type { MdnsLinkView } from '../net/mdns/mdns-link.ts';
import type { Check } from './context.ts';
import { type Finding, here, ok, warn } from './finding.ts';

export const mdnsCheck: Check = {
  id: 'mdns',
  run: ({ mdns = [] }) => mdns.map(findingOn),
};

function findingOn(link: MdnsLinkView): Finding {
  const { interfaceName, isAnnounced, siteName, isSiteHeld, fault } = link;
  if (fault !== undefined) {
    const text = `clients on ${interfaceName} do not find this box by mDNS: ${fault}`;
    return warn('no-mdns', text, here(`ip maddress show dev ${interfaceName}`));
  }
  if (!isAnnounced) return ok(`mDNS on ${interfaceName}: this box is asking for its names`);
  const leads = `${siteName} leads to ${isSiteHeld ? 'this box' : 'another box'}`;
  return ok(
    `mDNS on ${interfaceName} announces this box${siteName === undefined ? '' : `; ${leads}`}`,
  );
}
