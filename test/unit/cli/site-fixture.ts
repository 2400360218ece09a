// A site of three boxes with fixed figures, for the screens of the commands.

import type { SiteView } from '../../../src/cli/views/status-view.ts';
import type { NodeView } from '../../../src/http/node-api.ts';

export const NOW = Date.UTC(2026, 10, 20, 14, 50);
const DAY_MS = 86_400_000;
const SUMMARY = {
  retained: { count: 412, isReplicated: true },
  clientUrls: ['mqtt://192.168.1.100:1883', 'ws://192.168.1.100:9001/mqtt'],
};

export function box(number: number, given: Partial<NodeView> = {}): NodeView {
  return {
    name: `box${number}`,
    isSelf: number === 1,
    state: 'alive',
    since: NOW - 12 * DAY_MS,
    address: `192.168.1.${99 + number}:7946`,
    version: '0.4.0',
    clients: 16 + number,
    sessions: 20,
    receivedPerSecond: 80,
    sentPerSecond: 160,
    load: 3,
    rttSeconds: number === 1 ? null : 0.0004,
    loss: number === 1 ? { in: null, out: null } : { in: 0, out: 0 },
    blocked: [],
    differingOptions: [],
    retainedDifferSince: null,
    ...given,
  };
}

export function wellSite(): SiteView {
  return {
    verdict: {
      level: 'well',
      sentence: 'All well: 3 boxes online, 54 devices, 240 messages/s, loss 0.00 %.',
      faults: [],
    },
    nodes: [box(1), box(2), box(3)],
    summary: SUMMARY,
  };
}

export function faultySite(): SiteView {
  const suspect = 'box3 has not answered for 2 s and is being checked';
  const older = 'box3 (0.3.2) runs an older version than the others (0.4.0)';
  return {
    verdict: {
      level: 'warning',
      sentence: `${suspect}. 1 more fault.`,
      faults: [
        { code: 'suspect', severity: 'warning', text: suspect, since: NOW - 2000, cure: 'wait' },
        { code: 'version', severity: 'warning', text: older, cure: 'copy shoal.js 0.4.0 to box3' },
      ],
    },
    nodes: [
      box(1),
      box(2, { loss: { in: 0.2, out: 0 } }),
      box(3, {
        state: 'suspect',
        since: NOW - 2000,
        version: '0.3.2',
        load: null,
        rttSeconds: null,
      }),
    ],
    summary: SUMMARY,
  };
}
