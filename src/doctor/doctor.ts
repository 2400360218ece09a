// Runs all checks, one group after the other: the ports are looked at before a doctor without a node opens
// them. Invariant: a check that fails is a finding; runDoctor() never rejects.

import { accessChecks } from './access-checks.ts';
import { bridgeChecks } from './bridge-checks.ts';
import { clusterChecks } from './cluster-checks.ts';
import type { Check, DoctorContext } from './context.ts';
import { type DoctorReport, type Finding, ok, warn } from './finding.ts';
import { machineChecks, messageOf } from './machine-checks.ts';
import { mdnsCheck } from './mdns-check.ts';
import { portChecks } from './port-checks.ts';

const GROUPS: readonly (readonly Check[])[] = [
  portChecks,
  [...machineChecks, ...accessChecks, ...bridgeChecks, mdnsCheck],
  clusterChecks,
];

export async function runDoctor(context: DoctorContext): Promise<DoctorReport> {
  const { config, version, isUp } = context;
  const findings: Finding[] = [
    ok(isUp ? `node ${version} runs` : `no node runs here; checked without one (${version})`),
  ];
  for (const checks of GROUPS) {
    const found = await Promise.all(checks.map((check) => runCheck(check, context)));
    findings.push(...found.flat());
  }
  return { node: config.nodeName, version, isUp, findings };
}

async function runCheck(check: Check, context: DoctorContext): Promise<readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    return [warn('check-failed', `the check '${check.id}' could not be made: ${messageOf(error)}`)];
  }
}
