// Shows the demo: on a terminal that can move its cursor a picture that is redrawn in place, elsewhere one
// line for each thing that happens. Knows the nodes and the traffic only to look at them.

import { isDeepStrictEqual } from 'node:util';
import { Chalk } from 'chalk';
import { wantsColour } from '../../src/cli/log.ts';
import type { DemoNode, PeerState } from './cluster.ts';
import {
  type CrossingView,
  type Entry,
  type Hint,
  type NodeView,
  picture,
  type Span,
  type Style,
} from './picture.ts';
import type { Traffic } from './traffic.ts';

const DRAW_EVERY_MS = 150;
const EVENTS_KEPT_MAX = 100;
const PLAIN_COLUMNS = 100;
/** After the last picture: the closing line and the shell's prompt. */
const CLOSING_ROWS = 2;

const styleOf: Readonly<Record<PeerState, Style>> = {
  online: 'good',
  suspect: 'warning',
  offline: 'bad',
  left: 'dim',
};

export class Screen {
  readonly #nodes: readonly DemoNode[];
  readonly #traffic: Traffic;
  readonly #out: NodeJS.WriteStream;
  readonly #isPicture: boolean;
  readonly #paint: Readonly<Record<Style, (text: string) => string>>;
  readonly #startedMs = performance.now();
  #entries: Entry[] = [];
  #hint: Hint | undefined;
  #drawnLines = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(nodes: readonly DemoNode[], traffic: Traffic, out: NodeJS.WriteStream) {
    this.#nodes = nodes;
    this.#traffic = traffic;
    this.#out = out;
    this.#isPicture = out.isTTY === true && process.env.TERM !== 'dumb';
    const { bold, gray, green, yellow, red } = new Chalk({
      level: wantsColour(process.env, out.isTTY === true) ? 1 : 0,
    });
    this.#paint = { plain: String, bold, dim: gray, good: green, warning: yellow, bad: red };
    if (!this.#isPicture) return;
    out.write('\u001b[?25l');
    out.on('resize', this.#redraw);
    this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
  }

  /** A step of the story. */
  step(text: string, style: Style = 'bold'): void {
    this.#add(text, 'step', style);
  }

  /** What a node or a client observed. */
  event(text: string): void {
    this.#add(text, 'event', 'plain');
  }

  /** What the person can do now; replaces the last hint. Printed once as long as it stays the same. */
  hint(hint: Hint): void {
    const isSame = this.#hint !== undefined && isDeepStrictEqual(this.#hint, hint);
    this.#hint = hint;
    if (isSame || this.#isPicture || this.#isClosed) return;
    const commands = hint.commands.map((words) => `  ${words.join(' ')}\n`);
    this.#out.write(`${hint.title}\n${commands.join('')}`);
  }

  /** Leaves the last picture on the screen; from now on only print() shows anything. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#hint = undefined;
    clearInterval(this.#timer);
    if (this.#isPicture) {
      this.#out.off('resize', this.#redraw);
      this.#draw(CLOSING_ROWS);
      this.#out.write('\u001b[?25h');
    } else {
      const table = this.#lines(PLAIN_COLUMNS, Number.POSITIVE_INFINITY, []);
      this.#out.write(`\n${table.join('\n').trimEnd()}\n`);
    }
  }

  /** Prints a line below the picture that close() left. */
  print(text: string): void {
    this.#out.write(`${text}\n`);
  }

  #add(text: string, kind: Entry['kind'], style: Style): void {
    if (this.#isClosed) return;
    const seconds = (performance.now() - this.#startedMs) / 1000;
    this.#entries.push({ seconds, text, kind, style });
    const events = this.#entries.filter((entry) => entry.kind === 'event');
    if (events.length > EVENTS_KEPT_MAX) {
      this.#entries = this.#entries.filter((entry) => entry !== events[0]);
    }
    if (this.#isPicture) return;
    const indent = kind === 'event' ? '  ' : '';
    const time = this.#paint.dim(`${seconds.toFixed(2).padStart(6)} s`);
    this.#out.write(`${time}  ${indent}${this.#paint[style](text)}\n`);
  }

  /** A resize moves the lines that were drawn, so the screen is cleared. */
  readonly #redraw = (): void => {
    this.#out.write('\u001b[2J\u001b[H');
    this.#drawnLines = 0;
    this.#draw();
  };

  /** @param rowsKept rows at the bottom that the picture leaves free, besides the cursor's own */
  #draw(rowsKept = 0): void {
    // Some terminals report no size.
    const [columns, rows] = [this.#out.columns || 80, this.#out.rows || 24];
    const lines = this.#lines(columns, rows - rowsKept, this.#entries);
    const back = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A`;
    // Without line wrap a word that is longer than a line is cut and does not move the picture.
    this.#out.write(`\r${back}\u001b[0J\u001b[?7l${lines.join('\n')}\n\u001b[?7h`);
    this.#drawnLines = lines.length;
  }

  #lines(columns: number, rows: number, entries: readonly Entry[]): string[] {
    const view = {
      nodes: this.#nodes.map((node) => this.#nodeView(node)),
      crossings: this.#nodes.map((from) => this.#crossingView(from)),
      entries,
      hint: this.#hint,
    };
    return picture(view, columns, rows).map((line) =>
      line.map(({ text, style }) => this.#paint[style](text)).join(''),
    );
  }

  #nodeView(node: DemoNode): NodeView {
    const others = this.#nodes.filter((other) => other !== node);
    const status = node.status(this.#nodes);
    const words = {
      'not started': '-',
      running: String(node.pid),
      killed: 'killed',
      elsewhere: 'yours',
    };
    return {
      name: node.name,
      process: words[status],
      isDown: status === 'killed',
      mqttPort: String(node.mqttPort || '-'),
      gossip: node.gossipAddress,
      opinions: others.map((other) => opinion(other, node)),
    };
  }

  #crossingView(from: DemoNode): CrossingView {
    const cells = this.#nodes.map((to) => {
      const crossing = this.#traffic.crossing(from.name, to.name);
      const [median, high] = [crossing.latencyMs(0.5), crossing.latencyMs(0.99)];
      const narrow = String(crossing.messages);
      if (median === undefined || high === undefined) return { wide: narrow, narrow };
      return { wide: `${narrow}, ${median.toFixed(1)} / ${high.toFixed(1)} ms`, narrow };
    });
    return { from: from.name, cells };
  }
}

/** A suspicion is shown with its age. */
function opinion(observer: DemoNode, subject: DemoNode): Span {
  const sighting = observer.isRunning ? observer.sees.get(subject.name) : undefined;
  if (sighting === undefined) return { text: `${observer.name}: -`, style: 'dim' };
  const { state, atMs } = sighting;
  const age = state === 'suspect' ? ` ${((performance.now() - atMs) / 1000).toFixed(1)} s` : '';
  return { text: `${observer.name}: ${state}${age}`, style: styleOf[state] };
}
