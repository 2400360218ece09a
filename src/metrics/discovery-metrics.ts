// Metrics of how nodes find each other, and how clients find the nodes.

import { counter, gauge } from './metric.ts';

/** With `-beacon`: how nodes on one network find each other. */
export const beaconMetrics = {
  links: gauge('beacon_networks', 'networks on which this node calls others', {
    sys: 'cluster/beacon/networks',
  }),
  calls: counter('beacon_calls', 'calls sent', { sys: 'cluster/beacon/calls' }),
  answers: counter('beacon_answers', 'calls of other nodes that this one has answered', {
    sys: 'cluster/beacon/answers',
  }),
  receivedCalls: counter('beacon_received_calls', 'calls received from nodes with the token', {
    sys: 'cluster/beacon/received/calls',
  }),
  receivedAnswers: counter('beacon_received_answers', 'answers to calls of this node', {
    sys: 'cluster/beacon/received/answers',
  }),
  found: counter('beacon_found', 'answers by which this node has found another one', {
    sys: 'cluster/beacon/found',
  }),
  dropped: counter(
    'beacon_dropped',
    'beacons dropped by reason: stranger (another token or `-cluster`), malformed (damaged, or another version), replayed (sent before), misplaced (from an address that it does not name, or on no network of this machine), limited (not answered because of their rate), overRate (not read because of their rate)',
    { sys: 'cluster/beacon/dropped/{reason}', labels: ['reason'] },
  ),
  sendErrors: counter('beacon_send_errors', 'calls that left by no way', {
    sys: 'cluster/beacon/sendErrors',
  }),
};

/** `shoal invite`: how new boxes get the token. */
export const invitationMetrics = {
  open: gauge('invitations_open', 'invitations that a new box can still use', {
    sys: 'cluster/invitations/open',
  }),
  joined: counter('invitations_joined', 'new boxes that have used an invitation', {
    sys: 'cluster/invitations/joined',
  }),
  refused: counter(
    'invitations_refused',
    'connections to the door for new boxes that were closed, by reason: invalid (no invitation, or one that is over), slow (none within 5 s), crowded (too many at a time), overRate (too many in a second)',
    { sys: 'cluster/invitations/refused/{reason}', labels: ['reason'] },
  ),
};

/** With `-mdns`: how clients on the same network find this node. */
export const mdnsMetrics = {
  interfaces: gauge('mdns_interfaces', 'interfaces on which this node is announced by mDNS', {
    sys: 'mdns/interfaces',
  }),
  siteHeld: gauge(
    'mdns_site_held',
    'interfaces on which this node answers for the site, as shoal.local',
    {
      sys: 'mdns/siteHeld',
    },
  ),
  queries: counter('mdns_queries', 'queries of others on the link', { sys: 'mdns/queries' }),
  answers: counter('mdns_answers', 'announcements and answers sent', {
    sys: 'mdns/answers',
  }),
  conflicts: counter('mdns_conflicts', 'names that another host had', { sys: 'mdns/conflicts' }),
  dropped: counter(
    'mdns_dropped',
    'datagrams dropped by reason: malformed (damaged, or no mDNS), offLink (from another network than that of the interface), overRate (not read because of their rate), limited (read, but not answered because of their rate)',
    { sys: 'mdns/dropped/{reason}', labels: ['reason'] },
  ),
  sendErrors: counter('mdns_send_errors', 'failures of a socket of mDNS', {
    sys: 'mdns/sendErrors',
  }),
};

/** With `-address`: the addresses that move from node to node. */
export const addressMetrics = {
  held: gauge('address_held', 'addresses of the clients that this node holds', {
    sys: 'cluster/address/held',
  }),
  failures: counter(
    'address_failures',
    'how often this node could not take one, or found another host there',
    {
      sys: 'cluster/address/failures',
    },
  ),
};
