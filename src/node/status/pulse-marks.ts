// What makes a mark on the pulse of the dashboard: a node that dies or returns, many clients that connect
// at once, a configuration that is read again. Pure.

import type { LogEvent } from '../../http/event-log.ts';
import type { HistoryMark } from '../../http/node-api.ts';
import { formatNumber } from '../../shared/units.ts';

const MEMBER = /^cluster (online|offline|left|updated) (\S+) /;
/** Fewer clients in one sample are no wave, however small the node is. */
const WAVE_CLIENTS_MIN = 20;
/** Share of the clients that a wave brings at least. */
const WAVE_SHARE_MIN = 0.1;

/** @returns undefined for an event that makes no mark */
export function markOfEvent({ at, event, fields }: LogEvent): HistoryMark | undefined {
  const [, state, name] = MEMBER.exec(event) ?? [];
  if (state === undefined) return undefined;
  const isRestart = String(fields.reason).startsWith('restarted');
  if (isRestart) return { at, kind: 'back', text: `${name} has restarted` };
  if (state === 'online') return { at, kind: 'back', text: `${name} is online` };
  if (state === 'offline') return { at, kind: 'gone', text: `${name} is offline` };
  return state === 'left' ? { at, kind: 'left', text: `${name} has left` } : undefined;
}

/**
 * @param connects CONNECT packets since the sample before
 * @param clients connected now
 */
export function markOfConnects(
  at: number,
  connects: number,
  clients: number,
): HistoryMark | undefined {
  const isWave = connects >= WAVE_CLIENTS_MIN && connects >= WAVE_SHARE_MIN * clients;
  return isWave
    ? { at, kind: 'wave', text: `${formatNumber(connects, 'client')} connected at once` }
    : undefined;
}
