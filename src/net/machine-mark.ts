// A mark that all nodes on one machine have in common, and that a copy of the machine's disk has as well.
// It shows nothing of the id that it is made from, as machine-id(5) asks.

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MACHINE_MARK_BYTES } from '../swim/metadata.ts';

const FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
const MACHINE_ID = /^[0-9a-f]{32}$/;

/** @returns hexadecimal; undefined where the system has no machine id, as in most containers */
export function readMachineMark(files: readonly string[] = FILES): string | undefined {
  for (const file of files) {
    try {
      const id = readFileSync(file, 'utf8').trim();
      if (!MACHINE_ID.test(id)) continue;
      return createHmac('sha256', id)
        .update('shoal')
        .digest('hex')
        .slice(0, 2 * MACHINE_MARK_BYTES);
    } catch {
      // The next one.
    }
  }
  return undefined;
}
