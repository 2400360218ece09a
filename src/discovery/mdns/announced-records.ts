// The names and records by which clients find this node on one link: its services, its own host name, and
// the name of the site. Pure. Invariant: no record holds more than the node name, ports, addresses and the
// path of a WebSocket; no version, no cluster name, nothing of clients.
//
//   box1._mqtt._tcp.local     SRV box1-shoal.local 1883, TXT     one for each listener
//   box1-shoal.local          A, AAAA                            this node; never the box's own box1.local
//   shoal.local               A, AAAA, TXT node=box1             the site: one live node of it
//
// Sources: RFC 6763 4 to 9, RFC 6762 10 (TTLs); the registered names are those of IANA's list of services,
// and registered for WebSockets there is none (decision 0173).

import {
  absenceRecord,
  addressRecord,
  type DnsRecord,
  joinLabels,
  LABEL_BYTES_MAX,
  pointerRecord,
  RecordType,
  serviceRecord,
  textRecord,
} from './dns-record.ts';

export type ServiceType = '_mqtt._tcp' | '_secure-mqtt._tcp' | '_mqtt-ws._tcp' | '_mqtt-wss._tcp';

export interface AnnouncedService {
  readonly type: ServiceType;
  readonly port: number;
  /** Of a WebSocket. */
  readonly path: string | undefined;
}

export interface AnnouncedRecords {
  /** Of names that this node alone may have: they are probed before they are announced. */
  readonly unique: readonly DnsRecord[];
  /** Of names that every node of the kind has a record of. */
  readonly shared: readonly DnsRecord[];
}

export const SERVICE_TYPES: readonly ServiceType[] = [
  '_mqtt._tcp',
  '_secure-mqtt._tcp',
  '_mqtt-ws._tcp',
  '_mqtt-wss._tcp',
];
const DOMAIN = 'local';
const ALL_SERVICES = '_services._dns-sd._udp.local';
/** Of records with a host name or an address. RFC 6762, 10. */
const HOST_SECONDS = 120;
const OTHER_SECONDS = 4500;
/** Shorter, because a client that misses the announcement of a new holder asks the former one until then. */
const SITE_SECONDS = 30;
const NODE_KEY = 'node=';

/** @param attempt 1, and one more after each conflict */
export function nodeRecords(
  nodeName: string,
  siteName: string,
  services: readonly AnnouncedService[],
  addresses: readonly string[],
  attempt: number,
): AnnouncedRecords {
  const host = hostOf(`${hostLabel(nodeName)}-${siteName}`, attempt);
  const named = services.map((service, index) => {
    const isFirst = services.findIndex(({ type }) => type === service.type) === index;
    const name = isFirst ? nodeName : `${nodeName} ${service.port}`;
    return { ...service, name: instanceOf(name, service.type, attempt) };
  });
  const types = [...new Set(services.map(({ type }) => type))];
  return {
    unique: [
      ...named.flatMap(({ name, port, path }) => [
        serviceRecord(name, { host, port }, HOST_SECONDS),
        textRecord(name, path === undefined ? [] : [`path=${path}`], OTHER_SECONDS),
      ]),
      ...addresses.map((address) => addressRecord(host, address, HOST_SECONDS)),
    ],
    shared: [
      ...named.map(({ name, type }) => pointerRecord(`${type}.${DOMAIN}`, name, OTHER_SECONDS)),
      ...types.map((type) => pointerRecord(ALL_SERVICES, `${type}.${DOMAIN}`, OTHER_SECONDS)),
    ],
  };
}

export function siteRecords(
  siteName: string,
  nodeName: string,
  addresses: readonly string[],
  attempt: number,
): readonly DnsRecord[] {
  const name = hostOf(siteName, attempt);
  return [
    ...addresses.map((address) => addressRecord(name, address, SITE_SECONDS)),
    textRecord(name, [`${NODE_KEY}${nodeName}`], SITE_SECONDS),
  ];
}

/** The pointers by which clients list this node, whatever services it has. */
export function pointersTo(nodeName: string): readonly DnsRecord[] {
  return SERVICE_TYPES.map((type) =>
    pointerRecord(`${type}.${DOMAIN}`, instanceOf(nodeName, type, 1), OTHER_SECONDS),
  );
}

/** The node that a TXT record of a site names; undefined for other records. */
export function nodeOf(record: DnsRecord): string | undefined {
  const text = record.type === RecordType.TXT ? record.data.toString('utf8', 1) : '';
  return text.startsWith(NODE_KEY) ? text.slice(NODE_KEY.length) : undefined;
}

/** One for each name of these unique records: which types it has. RFC 6762, 6.1. */
export function absences(unique: readonly DnsRecord[]): readonly DnsRecord[] {
  return [...new Set(unique.map(({ name }) => name))].map((name) => {
    const own = unique.filter((record) => record.name === name);
    const ttlSeconds = Math.min(...own.map((record) => record.ttlSeconds));
    return absenceRecord(name, [...new Set(own.map(({ type }) => type))], ttlSeconds);
  });
}

/** As `shoal.local`, and `shoal-2.local` where that is in use. */
export function hostOf(label: string, attempt: number): string {
  const suffix = attempt === 1 ? '' : `-${attempt}`;
  return `${shortened(label, suffix)}.${DOMAIN}`;
}

/** As `box1`, and `box1 (2)` where that is in use. */
function instanceOf(name: string, type: ServiceType, attempt: number): string {
  const suffix = attempt === 1 ? '' : ` (${attempt})`;
  return `${joinLabels([shortened(name, suffix)])}.${type}.${DOMAIN}`;
}

/** A host name has letters, digits and hyphens only. RFC 952. */
function hostLabel(nodeName: string): string {
  const label = nodeName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return label === '' ? 'node' : label;
}

/** With the suffix it is a label; a character is left out as a whole. */
function shortened(label: string, suffix: string): string {
  const characters = [...label];
  while (Buffer.byteLength(characters.join('') + suffix) > LABEL_BYTES_MAX) characters.pop();
  return characters.join('') + suffix;
}
