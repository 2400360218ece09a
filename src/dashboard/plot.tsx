// A line plot of values over time, as SVG: with marks for events, and a cursor that all plots of a page share. Knows
// nothing of what it plots.

import { useEffect, useRef, useState } from 'preact/hooks';

const HEIGHT = 110;
const MARGIN = { left: 46, right: 8, top: 8, bottom: 18 };
const GRID_LINES = 3;
const MINUTE_MS = 60_000;
const WIDTH_DEFAULT = 340;

export interface Series {
  readonly label: string;
  /** Of the style sheet. */
  readonly colour: string;
  /** One for each time. */
  readonly values: readonly number[];
}

export interface PlotMark {
  readonly at: number;
  readonly kind: string;
  readonly text: string;
}

interface PlotProps {
  readonly title: string;
  /** Ascending, ms since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly marks: readonly PlotMark[];
  readonly format: (value: number) => string;
  /** Index of the time under the cursor. */
  readonly cursor: number | undefined;
  readonly setCursor: (index: number | undefined) => void;
}

export function Plot({ title, times, series, marks, format, cursor, setCursor }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 1;
  const innerWidth = width - MARGIN.left - MARGIN.right;
  const innerHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const top = roundUp(Math.max(1, ...series.flatMap(({ values }) => values)));
  const x = (time: number): number =>
    MARGIN.left + (innerWidth * (time - first)) / Math.max(1, last - first);
  const y = (value: number): number => MARGIN.top + innerHeight * (1 - value / top);
  const indexAt = (event: MouseEvent): number => {
    const { left } = box.current?.getBoundingClientRect() ?? { left: 0 };
    const time = first + ((event.clientX - left - MARGIN.left) / innerWidth) * (last - first);
    return nearest(times, time);
  };
  function press(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const from = cursor ?? times.length - 1;
    setCursor(Math.max(0, Math.min(times.length - 1, from + step)));
  }
  const shown = cursor ?? times.length - 1;
  const words = wordsAt({ times, series, format }, shown, cursor !== undefined);
  return (
    <figure class="plot">
      <figcaption>
        {title}{' '}
        <span class="at-cursor">
          {cursor !== undefined && times[cursor] !== undefined && `${clockOf(times[cursor])} `}
          {series.map(({ label, colour, values }) => (
            <b key={label} class={colour}>
              {label} {format(values[shown] ?? 0)}{' '}
            </b>
          ))}
        </span>
      </figcaption>
      <div ref={box}>
        <svg
          width={width}
          height={HEIGHT}
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: its cursor moves as a slider does
          role="slider"
          tabIndex={0}
          aria-label={`${title}, ${times.length} samples`}
          aria-valuemin={0}
          aria-valuemax={Math.max(0, times.length - 1)}
          aria-valuenow={Math.max(0, shown)}
          aria-valuetext={words}
          onPointerMove={(event) => setCursor(indexAt(event))}
          onPointerDown={(event) => setCursor(indexAt(event))}
          onPointerLeave={() => setCursor(undefined)}
          onBlur={() => setCursor(undefined)}
          onKeyDown={press}
        >
          {Array.from({ length: GRID_LINES }, (_, line) => (top * line) / (GRID_LINES - 1)).map(
            (value) => (
              <g key={value} class="grid">
                <line x1={MARGIN.left} x2={width - MARGIN.right} y1={y(value)} y2={y(value)} />
                <text x={MARGIN.left - 4} y={y(value) + 4} text-anchor="end">
                  {format(value)}
                </text>
              </g>
            ),
          )}
          {timesOfAxis(first, last).map((time) => (
            <text key={time} class="grid" x={x(time)} y={HEIGHT - 4} text-anchor="middle">
              {clockOf(time).slice(0, 5)}
            </text>
          ))}
          {marks
            .filter(({ at }) => at >= first && at <= last)
            .map((mark) => (
              <g key={`${mark.at} ${mark.text}`} class={`mark ${mark.kind}`}>
                <title>{`${clockOf(mark.at)} ${mark.text}`}</title>
                <line
                  x1={x(mark.at)}
                  x2={x(mark.at)}
                  y1={MARGIN.top}
                  y2={MARGIN.top + innerHeight}
                />
                <circle cx={x(mark.at)} cy={MARGIN.top} r={4} />
              </g>
            ))}
          {series.map(({ label, colour, values }) => (
            <path key={label} class={colour} d={pathOf(times, values, x, y)} />
          ))}
          {cursor !== undefined && times[cursor] !== undefined && (
            <line
              class="cursor"
              x1={x(times[cursor])}
              x2={x(times[cursor])}
              y1={MARGIN.top}
              y2={MARGIN.top + innerHeight}
            />
          )}
        </svg>
      </div>
    </figure>
  );
}

function useWidth(box: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(WIDTH_DEFAULT);
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const resized = new ResizeObserver(() => setWidth(Math.max(200, place.clientWidth)));
    resized.observe(place);
    return () => resized.disconnect();
  }, []);
  return width;
}

function pathOf(
  times: readonly number[],
  values: readonly number[],
  x: (time: number) => number,
  y: (value: number) => number,
): string {
  return times
    .map(
      (time, index) =>
        `${index === 0 ? 'M' : 'L'}${x(time).toFixed(1)} ${y(values[index] ?? 0).toFixed(1)}`,
    )
    .join('');
}

function wordsAt(
  { times, series, format }: Pick<PlotProps, 'times' | 'series' | 'format'>,
  index: number,
  hasTime: boolean,
): string {
  const time = times[index];
  if (time === undefined) return 'no sample yet';
  const values = series.map(({ label, values: all }) => `${label} ${format(all[index] ?? 0)}`);
  return `${hasTime ? `${clockOf(time)}: ` : ''}${values.join(', ')}`;
}

export function clockOf(time: number): string {
  return new Date(time).toTimeString().slice(0, 8);
}

/** Whole minutes, at most six of them. */
function timesOfAxis(first: number, last: number): number[] {
  const step = Math.max(1, Math.ceil((last - first) / MINUTE_MS / 5)) * MINUTE_MS;
  const times: number[] = [];
  for (let time = Math.ceil(first / step) * step; time <= last; time += step) times.push(time);
  return times;
}

/** To 1, 2 or 5 and zeros. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((digit) => digit * power >= value) ?? 10) * power;
}

export function nearest(times: readonly number[], time: number): number {
  let best = 0;
  for (const [index, one] of times.entries()) {
    if (Math.abs(one - time) < Math.abs((times[best] ?? 0) - time)) best = index;
  }
  return best;
}
