import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkHealth,
  type HealthLimits,
  healthText,
  unknownHealth,
} from '../../../src/cli/views/health-check.ts';
import { box, faultySite, wellSite } from './site-fixture.ts';

const LIMITS: HealthLimits = {
  peersWarn: 0,
  peersCrit: 0,
  lossWarn: 0.001,
  lossCrit: 0.05,
  loadWarn: 90,
  loadCrit: 100,
};

function check(site = wellSite(), limits: Partial<HealthLimits> = {}) {
  return checkHealth(site, { ...LIMITS, ...limits });
}

test('a site that is well is OK, with its sentence', () => {
  const { level, reasons } = check();
  assert.deepEqual([level, reasons], ['OK', [wellSite().verdict.sentence]]);
});

test('thresholds make a warning or a critical state of loss, load and missing boxes', () => {
  const lossy = { ...wellSite(), nodes: [box(1), box(2, { loss: { in: 0, out: 0.2 } })] };
  const busy = { ...wellSite(), nodes: [box(1, { load: 95 })] };
  for (const [site, limits, level, reason] of [
    [lossy, {}, 'WARNING', '0.20 % of the messages between two boxes are lost'],
    [lossy, { lossCrit: 0.002 }, 'CRITICAL', '0.20 % of the messages between two boxes are lost'],
    [lossy, { lossWarn: 0.01 }, 'OK', wellSite().verdict.sentence],
    [busy, {}, 'WARNING', 'a box is busy for 95 % of its time'],
    [busy, { loadCrit: 95 }, 'CRITICAL', 'a box is busy for 95 % of its time'],
    [lossy, { lossWarn: 1, peersWarn: 2 }, 'WARNING', '1 other box is online, fewer than 2'],
    [wellSite(), { peersCrit: 3 }, 'CRITICAL', '2 other boxes are online, fewer than 3'],
  ] as const) {
    const health = check(site, limits);
    assert.deepEqual([health.level, health.reasons], [level, [reason]]);
  }
});

test('a fault of the verdict is a warning, a disk that takes nothing is critical', () => {
  assert.equal(check(faultySite()).level, 'WARNING');
  const text = 'the disk has taken no changes for 1 min';
  const faults = [{ code: 'disk', severity: 'fault', text, cure: 'df' } as const];
  const site = { ...wellSite(), verdict: { level: 'fault', sentence: text, faults } as const };
  assert.deepEqual([check(site).level, check(site).reasons], ['CRITICAL', [text]]);
});

test('a loss that the verdict names but the thresholds allow is OK', () => {
  const faults = [{ code: 'loss', severity: 'warning', text: 'loss', cure: '' } as const];
  const verdict = { level: 'warning', sentence: 'Loss.', faults } as const;
  const { level, reasons } = check({ ...wellSite(), verdict }, { lossWarn: 1 });
  assert.deepEqual([level, reasons], ['OK', ['1 below the thresholds: Loss.']]);
});

test('the result has the form that the monitoring system reads', () => {
  const health = check();
  assert.equal(
    healthText(health, LIMITS, 'nagios'),
    'SHOAL OK: All well: 3 boxes online, 54 devices, 240 messages/s, loss 0.00 %. | boxes=3 devices=54 messages=240 loss=0.00%;0.10;5.00 load=3%;90;100\n',
  );
  assert.match(
    healthText(health, LIMITS, 'prometheus'),
    /^# HELP shoal_check_status .*\n# TYPE shoal_check_status gauge\nshoal_check_status 0\n/,
  );
  assert.deepEqual(JSON.parse(healthText(health, LIMITS, 'json')), health);
  assert.equal(
    healthText(check(faultySite()), LIMITS, 'text').split('\n')[0],
    'WARNING: box3 has not answered for 2 s and is being checked',
  );
  assert.equal(healthText(unknownHealth('no node'), LIMITS, 'text'), 'UNKNOWN: no node\n');
});
