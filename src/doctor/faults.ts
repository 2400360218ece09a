// Every fault that the doctor knows. The one list: checks name their faults by these ids, and
// docs/doctor.md has a row for each.

export const faults = {
  'host-unreachable': {
    means:
      'The other box does not answer at all: it is switched off, its cable or Wi-Fi is gone, or its address is wrong.',
    cure: 'power, cable, `ip route get ADDRESS`; the right address in `-mbs`',
  },
  'nothing-listens': {
    means: 'The other box is up, but no node runs there on this port.',
    cure: 'start the node there, or correct the port in `-mbs`',
  },
  'no-answer': {
    means:
      'The other box is up, and nothing comes back: its firewall drops both ports, its token or cluster name is another one, or no node runs there. Only its own doctor can see which; where the box refuses the MQTT port as well, the line says first that no node runs there.',
    cure: 'start the node there; `shoal doctor` there; compare the key number that both doctors print',
  },
  blocked: {
    means:
      'A firewall blocks a direction of a port. The line says which direction of UDP 7946 or 7947, or of TCP 7947 with `-large` or `-roaming`, and on which box.',
    cure: 'the line for the firewall of that box: ufw, firewalld, nft, iptables or Windows',
  },
  'send-refused': {
    means: "This box's own firewall refuses outgoing datagrams.",
    cure: 'the line for this firewall',
  },
  'wrong-token': {
    means: 'Datagrams arrive from this address that are signed with another token.',
    cure: 'the same `-csk` on every node',
  },
  'other-cluster': {
    means: 'The node there has the same token, but another cluster name.',
    cure: 'the same `-cluster` on every node',
  },
  'other-encrypt': {
    means: 'The node there has the same token, but another `-encrypt`.',
    cure: 'the same `-encrypt` on every node',
  },
  'other-program': {
    means: 'Another program, such as Docker Swarm, sends to the gossip port of this box.',
    cure: 'other ports on every node: `-crp`, `-csp`',
  },
  'damaged-datagrams': {
    means:
      'Datagrams arrive from this address whose proof is wrong: damaged on the way, or forged.',
    cure: 'find out who sends them',
  },
  'name-in-use': {
    means: 'Another node that is online has the name of this one.',
    cure: 'another `-nid`',
  },
  'copied-disk': {
    means:
      'Another running node has the name of this one, and the same machine id: the disk of one box is a copy of the disk of the other, or one of them runs in a container on the same machine.',
    cure: 'another `-nid`, an empty data folder, `rm /etc/machine-id && systemd-machine-id-setup`; in a container another `-nid` is enough',
  },
  'wrong-advertise': {
    means: 'Other nodes see this one at another address than `-advertise` says.',
    cure: '`-advertise` with the address that they see, or none',
  },
  'old-version': {
    means: 'A node runs an older version than this one.',
    cure: 'the same shoal.js on every box',
  },
  'path-mtu': {
    means: 'Datagrams of the configured size do not pass; smaller ones do.',
    cure: 'a smaller `-datagram`, or a larger MTU on the way',
  },
  'seed-unresolved': {
    means: 'A host name in `-mbs` has no address.',
    cure: 'correct the name, or write the address',
  },
  'no-beacon': {
    means: 'The node has no `-mbs` and cannot call other boxes on this network.',
    cure: 'an address on a network (`ip addr`), or `-mbs`',
  },
  'no-mdns': {
    means: 'Clients on this network do not find the node by mDNS (`-mdns`).',
    cure: 'an interface with multicast, and a firewall that lets UDP 5353 through',
  },
  'receive-buffer': {
    means:
      'The system grants a small receive buffer: bursts of messages from other nodes get lost.',
    cure: '`sysctl -w net.core.rmem_max=4194304`',
  },
  'messages-lost': {
    means: 'Messages between two nodes were lost in the last minute.',
    cure: 'the receive buffer of the receiving node, then the network',
  },
  'bridge-unreachable': {
    means: 'The far side of a bridge is not reached, or does not speak MQTT there.',
    cure: '`address` and `protocol` of the `[[bridge]]`; then its host and the firewalls on the way',
  },
  'bridge-tls': {
    means:
      'The TLS handshake with the far side of a bridge fails; the line says which check does not pass.',
    cure: '`ca`, `cert`, `key`, `alpn` of the `[[bridge]]`, or the certificate of the far side',
  },
  'bridge-refused': {
    means:
      'The far side of a bridge refuses its CONNECT. The doctor connects with `.doctor` behind the client identifier: a far side that knows only the identifier itself refuses that too.',
    cure: '`username`, `password` and `client-id` of the `[[bridge]]`, or the permissions there',
  },
  'bridge-limits': {
    means: 'The far side of a bridge takes less than the bridge may have to send.',
    cure: 'the line says which option keeps within it',
  },
  'port-taken': {
    means: 'Another program has a port of this node; the line names it.',
    cure: 'stop that program, or choose another port',
  },
  'other-broker': {
    means: 'Another program has port 1883, where clients look for a broker.',
    cure: 'stop it, or make sure that clients use the port of this node',
  },
  descriptors: {
    means: 'The process may open fewer files than `-max-connections` needs.',
    cure: '`LimitNOFILE=` in the unit, or `ulimit -n`',
  },
  clock: {
    means: 'The clock of this box has not been set since it was switched on.',
    cure: '`timedatectl set-ntp true`',
  },
  'disk-full': {
    means: 'The disk of the data folder is nearly full.',
    cure: 'free some space',
  },
  'disk-slow': {
    means: 'The disk takes long to sync: each publisher with QoS 1 or 2 waits for it.',
    cure: 'another disk, or no other program that writes to it',
  },
  'data-folder': {
    means: 'The data folder cannot be used.',
    cure: 'the line says what is wrong with it',
  },
  'weak-token': {
    means: 'Anyone who records a datagram can guess the token.',
    cure: '`shoal token make FILE`, and `-csk-file` with this file on every node',
  },
  'exposed-file': {
    means:
      'Other users of this machine can read or change a file that is secret, or decides on access.',
    cure: '`chmod`, as the line says',
  },
  certificate: {
    means: 'A certificate has ended or ends soon, or cannot be read.',
    cure: 'renew it; `systemctl reload shoal`',
  },
  ipv6: {
    means: 'This machine has no IPv6, but the configuration needs it.',
    cure: 'IPv4 addresses, or `sysctl -w net.ipv6.conf.all.disable_ipv6=0`',
  },
  configuration: {
    means: 'The configuration works, but probably not as it was meant.',
    cure: 'the line says what to change',
  },
  'check-failed': {
    means: 'A check could not be made.',
    cure: 'the line says why',
  },
} as const;

export type FaultId = keyof typeof faults;
