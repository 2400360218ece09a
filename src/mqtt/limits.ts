// Bounds that the widths of MQTT's own fields set. Bounds that Shoal chooses stand in
// src/broker/options.ts.

/** Packet Identifiers are 1 to this (MQTT 5.0 2.2.1). */
export const PACKET_ID_MAX = 65_535;

/** Bytes of a UTF-8 Encoded String or of Binary Data (MQTT 5.0 1.5.4, 1.5.6). */
export const STRING_BYTES_MAX = 65_535;

/** Receive Maximum where a CONNECT has none (MQTT 5.0 3.1.2.11.3). */
export const RECEIVE_MAXIMUM_DEFAULT = 65_535;

/** A Session Expiry Interval of this value means that the session never expires (MQTT 5.0 3.1.2.11.2). */
export const SESSION_EXPIRY_NEVER = 0xffff_ffff;
