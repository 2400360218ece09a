// Starts the built bundle as a process of its own, as a user does, and watches what it prints. For
// the integration tests and the demo. Knows the bundle only by its command line and its output.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type SpawnSettings, WatchedProcess } from './watched-process.ts';

export const BUNDLE = resolve(import.meta.dirname, '../../dist/shoal.js');

/** The Node that runs the bundle: another release, or another runtime whose flags follow it. */
export const NODE = process.env.SHOAL_NODE ?? process.execPath;
const RUNTIME_FLAGS = (process.env.SHOAL_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '');

/** The default places are one for a machine and a name: tests that need them give places of their own. */
const UNMANAGED = { SHOAL_HTTP: 'off', SHOAL_CONTROL: 'off' };

export interface ShoalSettings extends SpawnSettings {
  readonly bundle?: string;
  /** The program of Node. */
  readonly node?: string;
  /** Flags of Node itself, before the bundle. */
  readonly nodeFlags?: readonly string[];
}

export class ShoalProcess extends WatchedProcess {
  constructor(flags: readonly string[], settings: ShoalSettings = {}) {
    const { bundle = BUNDLE, node = NODE, nodeFlags = [], ...spawnSettings } = settings;
    if (!existsSync(bundle)) throw new Error(`${bundle} is missing: npm run build`);
    const env = { ...UNMANAGED, ...spawnSettings.env };
    super([node, ...RUNTIME_FLAGS, ...nodeFlags, bundle, ...flags], { ...spawnSettings, env });
  }

  /** The port of the MQTT listener, once it listens; of the first where there are several. */
  async mqttPort(protocol: 'tcp' | 'tls' | 'ws' | 'wss' = 'tcp'): Promise<number> {
    const [, port] = await this.waitFor(new RegExp(`Shoal v\\S+ ${protocol} \\S+:(\\d+)`));
    return Number(port);
  }

  /** Memory that the process occupies; Linux only. NaN: it is ending. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(status) ?? [];
    return Number(kilobytes) * 1024;
  }

  /** Where other nodes reach this one: for their -mbs. */
  async gossipAddress(): Promise<string> {
    const [, address = ''] = await this.waitFor(/cluster on udp ([^\s"]+)/);
    return address;
  }

  /** Where the HTTP API listens. */
  async httpAddress(): Promise<string> {
    const [, address = ''] = await this.waitFor(/management on http ([^\s"]+)/);
    return address;
  }

  /** The UDP port that messages of other nodes come in at. */
  async syncPort(): Promise<number> {
    const [, port] = await this.waitFor(/cluster sync on udp port (\d+)/);
    return Number(port);
  }
}

/** Flags of a node that takes any free ports on loopback. */
export function loopbackFlags(name: string, ...more: string[]): string[] {
  return [`-nid=${name}`, '-bind=127.0.0.1', '-port=0', '-crp=0', '-csp=0', ...more];
}
