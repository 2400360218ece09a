// Ten minutes of messages in and out on the node that serves the page, as one plot.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { HistorySample } from '../http/node-api.ts';
import { formatRate } from '../shared/units.ts';
import { call } from './api.ts';

const HEIGHT_PX = 130;
/** The node takes a sample every five seconds. */
const READ_EVERY_MS = 5_000;

export function Pulse() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const plot = new uPlot(optionsOf(place), [[], [], []], place);
    async function read(): Promise<void> {
      // The sentence bar says when the node does not answer.
      const answer = await call<{ samples: HistorySample[] }>('GET', '/api/v1/history').catch(
        () => undefined,
      );
      if (answer !== undefined) plot.setData(columnsOf(answer.samples));
    }
    void read();
    const timer = setInterval(() => void read(), READ_EVERY_MS);
    const resized = new ResizeObserver(() =>
      plot.setSize({ width: place.clientWidth, height: HEIGHT_PX }),
    );
    resized.observe(place);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      plot.destroy();
    };
  }, []);
  return (
    <figure class="pulse">
      <figcaption>Messages a second through this box, ten minutes</figcaption>
      <div ref={box} />
    </figure>
  );
}

function columnsOf(samples: readonly HistorySample[]): uPlot.AlignedData {
  return [
    samples.map(({ at }) => at / 1000),
    samples.map(({ receivedPerSecond }) => receivedPerSecond),
    samples.map(({ sentPerSecond }) => sentPerSecond),
  ];
}

function optionsOf(place: HTMLElement): uPlot.Options {
  const colour = (name: string) => () => colourOf(place, name);
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 } };
  return {
    width: place.clientWidth,
    height: HEIGHT_PX,
    series: [
      {},
      { label: 'in', stroke: colour('--accent'), width: 2, value: rateOf },
      { label: 'out', stroke: colour('--warn'), width: 2, value: rateOf },
    ],
    axes: [axis, { ...axis, size: 44, values: (_plot, values) => values.map(formatRate) }],
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, max)] } },
  };
}

/** A canvas does not know the variables of a style sheet: the browser computes the colour. */
function colourOf(place: HTMLElement, name: string): string {
  place.style.color = `var(${name})`;
  const { color } = getComputedStyle(place);
  place.style.color = '';
  return color;
}

function rateOf(_plot: uPlot, value: number | null): string {
  return value === null ? '-' : `${formatRate(value)}/s`;
}
