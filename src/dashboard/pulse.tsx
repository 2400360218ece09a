// Ten minutes of the node that serves the page: messages, delays of its event loop, queues, with marks for what
// happened to the site.

import { useMemo, useState } from 'preact/hooks';
import type { HistorySample, HistoryView } from '../http/node-api.ts';
import { formatCount, formatRate } from '../shared/units.ts';
import { clockOf, Plot, type Series } from './plot.tsx';

const MARKS_SHOWN = 4;

export function Pulse({ history }: { history: HistoryView }) {
  const { samples, marks } = history;
  const [cursor, setCursor] = useState<number>();
  const shared = { times: samples.map(({ at }) => at), marks, cursor, setCursor };
  const column = (label: string, colour: string, read: (one: HistorySample) => number): Series => ({
    label,
    colour,
    values: samples.map(read),
  });
  return useMemo(
    () => (
      <section class="pulse" aria-label="Ten minutes of this box">
        <Plot
          {...shared}
          title="Messages/s through this box:"
          format={formatRate}
          series={[
            column('in', 'line-a', ({ receivedPerSecond }) => receivedPerSecond),
            column('out', 'line-b', ({ sentPerSecond }) => sentPerSecond),
          ]}
        />
        <ol class="marks">
          {marks
            .slice(-MARKS_SHOWN)
            .reverse()
            .map(({ at, kind, text }) => (
              <li key={`${at} ${text}`} class={`mark ${kind}`}>
                <span class="dot" aria-hidden="true" /> <time>{clockOf(at)}</time> {text}
              </li>
            ))}
        </ol>
        <details>
          <summary>More of this box</summary>
          <Plot
            {...shared}
            title="Event loop, longest delay:"
            format={(value) => `${formatCount(value)} ms`}
            series={[column('delay', 'line-a', ({ loopDelayMs }) => loopDelayMs)]}
          />
          <Plot
            {...shared}
            title="Messages in queues:"
            format={formatCount}
            series={[
              column('waiting', 'line-a', ({ queued }) => queued),
              column('dropped', 'line-b', ({ dropped }) => dropped),
            ]}
          />
          <Plot
            {...shared}
            title="Devices of this box:"
            format={formatCount}
            series={[column('connected', 'line-a', ({ clients }) => clients)]}
          />
        </details>
      </section>
    ),
    [history, cursor],
  );
}
