// Asks the doctor on the hosts of a network, and types the lines that it prints.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { DoctorReport, Finding } from '../../../src/doctor/finding.ts';
import type { Network } from '../../support/network.ts';
import { BUNDLE, NODE } from '../../support/shoal-process.ts';
import { allSeeEachOther, type Scenario } from './scenario.ts';

export const TOKEN = '-csk=f2b7e6b0c1d24f7f9a5d3c8e1b6a4f20';
export const ONE = '192.168.1.100';
export const TWO = '192.168.1.101';
export const THREE = '192.168.1.102';

/** Namespaces share their files: without a path of its own a test would ask the node of another test. */
export const NO_SOCKET = '-control=/nonexistent/shoal.sock';

/** Runs a command on a host. @returns what it prints as JSON */
export function askOn<T>(network: Network, host: string, ...line: string[]): Promise<T> {
  const [program = '', ...words] = [...network.via(host), NODE, BUNDLE, ...line, '-json'];
  return new Promise((done, fail) => {
    // The settings of the test run are none of the node's.
    const env = { PATH: process.env.PATH };
    execFile(program, words, { env }, (_error, output, errors) => {
      try {
        done(JSON.parse(output) as T);
      } catch {
        fail(new Error(`${line.join(' ')} printed no JSON: ${output}${errors}`));
      }
    });
  });
}

/** Runs the doctor without a node on a host. */
export function doctorOn(
  network: Network,
  host: string,
  ...flags: string[]
): Promise<DoctorReport> {
  return askOn(network, host, 'doctor', NO_SOCKET, ...flags);
}

/** Faults and warnings about an address, `level fault`. */
export function foundAbout(report: DoctorReport, address: string): string[] {
  const about = report.findings.filter(({ text }) => text.startsWith(address));
  return about.map(({ level, fault }) => (fault === undefined ? level : `${level} ${fault}`));
}

export function findingOf(report: DoctorReport, fault: string): Finding {
  const found = report.findings.find((finding) => finding.fault === fault);
  assert.ok(found, `${fault} is not among ${JSON.stringify(report.findings, undefined, 1)}`);
  return found;
}

/** Types the lines that the doctor prints. */
export async function mend(network: Network, host: string, { mend: cure }: Finding): Promise<void> {
  assert.equal(cure?.where, 'on this box');
  for (const line of cure.lines) {
    const [program = '', ...words] = [...network.via(host), 'sh', '-c', line];
    await new Promise<void>((done, fail) => {
      execFile(program, words, (error) => (error === null ? done() : fail(error)));
    });
  }
}

export const flagsOf = (name: string, ...more: string[]) => [`-nid=${name}`, TOKEN, ...more];

/** A node on box1, which knows box2; no node on box2. */
export async function oneNode(scene: Scenario, ...flags: string[]): Promise<Network> {
  const network = await scene.network({ box1: [ONE], box2: [TWO], box3: [THREE] });
  const node = scene.startOn('box1', 'box1', flagsOf('box1', `-mbs=${TWO}`, ...flags));
  await node.process.mqttPort();
  return network;
}

/** Nodes on box1 and box2 that see each other. @returns what asks the doctor of box2 over its socket */
export async function twoNodes(scene: Scenario, network: Network, ...flags: readonly string[]) {
  const controlOf = (name: string) => `-control=${join(scene.folder, `${name}.sock`)}`;
  const [control1, control2] = [controlOf('box1'), controlOf('box2')];
  const one = scene.startOn('box1', 'box1', flagsOf('box1', `-mbs=${TWO}`, control1, ...flags));
  const two = scene.startOn('box2', 'box2', flagsOf('box2', `-mbs=${ONE}`, control2, ...flags));
  await allSeeEachOther([one, two]);
  const ask = () => askOn<DoctorReport>(network, 'box2', 'doctor', control2);
  return { one, two, ask, control: control2 };
}
