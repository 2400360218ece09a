// What a node announces beyond its address: ports and version, as fields inside its record.
// Invariant: decoding never throws; an unknown field is skipped.
//
//   field   type u8, length u8, value
//     1  sync port, u16
//     2  MQTT port, u16
//     3  version, UTF-8 of at most 32 bytes
//     4  mark of the machine, 8 bytes

export interface Metadata {
  readonly syncPort: number;
  readonly mqttPort?: number | undefined;
  readonly version: string;
  /** Hexadecimal; equal on two boxes only where one disk is a copy of the other. */
  readonly machine?: string | undefined;
}

const SYNC_PORT = 1;
const MQTT_PORT = 2;
const VERSION = 3;
const MACHINE = 4;
const VERSION_BYTES_MAX = 32;
export const MACHINE_MARK_BYTES = 8;

export function encodeMetadata(metadata: Metadata): Buffer {
  const fields = [portField(SYNC_PORT, metadata.syncPort)];
  if (metadata.mqttPort !== undefined) fields.push(portField(MQTT_PORT, metadata.mqttPort));
  const version = Buffer.from(metadata.version, 'utf8').subarray(0, VERSION_BYTES_MAX);
  fields.push(Buffer.from([VERSION, version.length]), version);
  if (metadata.machine !== undefined) {
    fields.push(Buffer.from([MACHINE, MACHINE_MARK_BYTES]), Buffer.from(metadata.machine, 'hex'));
  }
  return Buffer.concat(fields);
}

/** @returns syncPort 0 if the bytes have none: such a member is no peer of the sync channel */
export function decodeMetadata(bytes: Buffer): Metadata {
  let syncPort = 0;
  let mqttPort: number | undefined;
  let version = '';
  let machine: string | undefined;
  let at = 0;
  while (at + 2 <= bytes.length) {
    const type = bytes[at];
    const end = at + 2 + bytes[at + 1]!;
    if (end > bytes.length) break;
    const value = bytes.subarray(at + 2, end);
    if (type === SYNC_PORT && value.length === 2) syncPort = value.readUInt16BE(0);
    else if (type === MQTT_PORT && value.length === 2) mqttPort = value.readUInt16BE(0);
    else if (type === VERSION && value.length <= VERSION_BYTES_MAX) version = printable(value);
    else if (type === MACHINE && value.length === MACHINE_MARK_BYTES)
      machine = value.toString('hex');
    at = end;
  }
  return { syncPort, mqttPort, version, machine };
}

function portField(type: number, port: number): Buffer {
  return Buffer.from([type, 2, port >> 8, port & 0xff]);
}

/** The version appears in logs and terminals: control characters are replaced. */
function printable(value: Buffer): string {
  return value.toString('latin1').replace(/[^\x20-\x7e]/g, '?');
}
