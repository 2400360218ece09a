// Debian's avahi-daemon on a host of a network, with a D-Bus of its own for avahi-browse and avahi-resolve.
// Neither needs systemd. Ends with the scenario.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Network } from '../../support/network.ts';
import type { WatchedProcess } from '../../support/watched-process.ts';
import type { Scenario } from './scenario.ts';

export const AVAHI_PROGRAMS = ['avahi-daemon', 'avahi-browse', 'avahi-resolve', 'dbus-daemon'];
const POLL_MS = 50;
const WAIT_MS_MAX = 60_000;

/** A service as `avahi-browse -rtp` lists it. */
export interface Found {
  readonly name: string;
  readonly type: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

export class Avahi {
  readonly daemon: WatchedProcess;
  readonly #scene: Scenario;
  readonly #via: readonly string[];

  private constructor(scene: Scenario, via: readonly string[], daemon: WatchedProcess) {
    this.#scene = scene;
    this.#via = via;
    this.daemon = daemon;
  }

  /** @param host of the network; avahi announces it under this name */
  static async start(scene: Scenario, network: Network, host: string): Promise<Avahi> {
    const bus = join(scene.folder, `${host}.bus`);
    const via = [...network.via(host), 'env', `DBUS_SYSTEM_BUS_ADDRESS=unix:path=${bus}`];
    const busFile = scene.file(`${host}-bus.conf`, busConfiguration(bus));
    const busFlags = [`--config-file=${busFile}`, '--nofork', '--nopidfile', '--print-address'];
    await scene.run(['dbus-daemon', ...busFlags], via).waitFor(/^unix:/);
    const file = scene.file(`${host}-avahi.conf`, `[server]\nhost-name=${host}\n`);
    // Each `ip netns exec` has mounts of its own: with this one there may be several daemons.
    const daemonLine =
      'mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon && ' +
      `exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f '${file}'`;
    const daemon = scene.run(['sh', '-c', daemonLine], via);
    await daemon.waitFor(/Server startup complete/);
    return new Avahi(scene, via, daemon);
  }

  async browse(type: string): Promise<Found[]> {
    // Where a service goes while it is resolved, avahi-browse waits for ever.
    const lines = await this.#output(['timeout', '10', 'avahi-browse', '-rtp', type]);
    return lines.flatMap((line) => {
      const [event, , , name = '', service = '', , host = '', address = '', port, text = ''] =
        line.split(';');
      if (event !== '=') return [];
      return [{ name, type: service, host, address, port: Number(port), text }];
    });
  }

  /** @returns the address; undefined if the name has none */
  async resolve(name: string, family: 4 | 6 = 4): Promise<string | undefined> {
    const lines = await this.#output(['timeout', '10', 'avahi-resolve', `-${family}`, '-n', name]);
    const found = lines.map((line) => line.split('\t')).find(([first]) => first === name);
    return found?.[1];
  }

  /** Resolves once the name leads to an address that is accepted. */
  async resolvesTo(name: string, isWanted: (address: string) => boolean): Promise<string> {
    return until(async () => {
      const address = await this.resolve(name);
      return address !== undefined && isWanted(address) ? address : undefined;
    }, `${name} leads nowhere that is wanted`);
  }

  /** Resolves once the list of a service has exactly these names. */
  async lists(type: string, ...names: readonly string[]): Promise<Found[]> {
    return until(async () => {
      const found = await this.browse(type);
      const listed = [...new Set(found.map(({ name }) => name))].sort();
      return listed.join() === names.join() ? found : undefined;
    }, `${type} does not list ${names.join()}`);
  }

  async #output(commandLine: readonly string[]): Promise<string[]> {
    const run = this.#scene.run(commandLine, this.#via);
    await run.exited;
    return run.output.split('\n');
  }
}

export async function until<T>(look: () => Promise<T | undefined>, failure: string): Promise<T> {
  for (const end = Date.now() + WAIT_MS_MAX; Date.now() < end; await delay(POLL_MS)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(failure);
}

/** Everyone on the host may do everything. */
function busConfiguration(socket: string): string {
  const allowed = [
    'user="*"',
    'own="*"',
    'send_type="method_call"',
    'send_type="signal"',
    'send_requested_reply="true"',
    ...['method_call', 'signal', 'method_return', 'error'].map((one) => `receive_type="${one}"`),
  ];
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">${allowed.map((one) => `<allow ${one}/>`).join('')}</policy>
</busconfig>
`;
}
