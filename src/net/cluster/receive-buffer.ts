// The receive buffer of the sync port: what is wanted, and how a user raises the system's limit. On
// Linux the default limit (212,992 bytes) loses 2 to 15 % of bursts that 4 MB takes whole.

/** The burst of a fast peer waits in the kernel while this process is busy. */
export const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

const LIMIT_FILE = '/proc/sys/net/core/rmem_max';
/** Logged by a node whose socket got less than it asked for. */
export const SMALL_RECEIVE_BUFFER =
  'the receive buffer is small: bursts of messages from other nodes may be lost';
const SETTING = `net.core.rmem_max=${RECEIVE_BUFFER_BYTES}`;

/** The lines to type as root; in words where the system is not Linux. */
export function receiveBufferRemedy(platform: string): string {
  return platform === 'linux'
    ? `sysctl -w ${SETTING}; to keep it: echo ${SETTING} > /etc/sysctl.d/60-shoal.conf; then restart the node`
    : `raise the system's largest receive buffer of a UDP socket to ${RECEIVE_BUFFER_BYTES} bytes`;
}

/**
 * For `shoal check`: what a node would log here at its start.
 * @param readFile throws if the file does not exist, as on systems other than Linux
 */
export function receiveBufferWarnings(readFile: (path: string) => string): string[] {
  let limit: number;
  try {
    limit = Number(readFile(LIMIT_FILE));
  } catch {
    return [];
  }
  if (!(limit < RECEIVE_BUFFER_BYTES)) return [];
  return [`${SMALL_RECEIVE_BUFFER} (${limit} bytes): ${receiveBufferRemedy('linux')}`];
}
