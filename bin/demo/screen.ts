// What the demo shows: on a terminal a picture of the cluster that is drawn anew in place, elsewhere
// one line for each thing that happened.

import { Chalk } from 'chalk';
import { wantsColour } from '../../src/cli/log.ts';
import type { DemoNode, SeenState } from './cluster.ts';
import type { Traffic } from './traffic.ts';

const DRAW_EVERY_MS = 150;
const HISTORY_LINES = 12;

const terminal = process.stdout.isTTY === true;
const chalk = new Chalk({ level: wantsColour(process.env, terminal) ? 1 : 0 });

const paint: Readonly<Record<SeenState, (text: string) => string>> = {
  online: chalk.green,
  suspect: chalk.yellow,
  offline: chalk.red,
  left: chalk.gray,
};

export class Screen {
  readonly #nodes: readonly DemoNode[];
  readonly #traffic: Traffic;
  readonly #startedMs = performance.now();
  readonly #history: string[] = [];
  #drawnLines = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(nodes: readonly DemoNode[], traffic: Traffic) {
    this.#nodes = nodes;
    this.#traffic = traffic;
    if (!terminal) return;
    this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
    process.stdout.write('\u001b[?25l');
  }

  /** A step of the story. */
  tell(text: string): void {
    this.#add(chalk.bold(text));
  }

  /** Something that a node or client has seen. */
  note(text: string): void {
    this.#add(`  ${text}`);
  }

  table(): string[] {
    return [...this.#memberTable(), '', ...this.#crossingTable()];
  }

  /** Leaves the last picture where it stands; what comes later is not told. */
  close(): void {
    this.#closed = true;
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw();
    process.stdout.write('\u001b[?25h');
  }

  #add(text: string): void {
    if (this.#closed) return;
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(2).padStart(6);
    const line = `${chalk.gray(`${seconds} s`)}  ${text}`;
    this.#history.push(line);
    if (!terminal) process.stdout.write(`${line}\n`);
  }

  /** Lines that are too long for the terminal are cut, so that they can be counted. */
  #draw(): void {
    const lines = ['', ...this.table(), '', ...this.#history.slice(-HISTORY_LINES), ''];
    const back = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A`;
    process.stdout.write(`${back}\u001b[0J\u001b[?7l${lines.join('\n')}\n\u001b[?7h`);
    this.#drawnLines = lines.length;
  }

  #memberTable(): string[] {
    const head = 'node  process  mqtt   gossip           the others say';
    const rows = this.#nodes.map((node) => {
      const process = node.running ? String(node.process?.pid) : 'killed';
      const opinions = this.#nodes
        .filter((other) => other !== node)
        .map((other) => opinion(other, node))
        .join('  ');
      const port = String(node.mqttPort || '-');
      return `${node.name.padEnd(6)}${process.padEnd(9)}${port.padEnd(7)}${node.gossipAddress.padEnd(17)}${opinions}`;
    });
    return [chalk.bold(head), ...rows];
  }

  #crossingTable(): string[] {
    const head = ['messages', ...this.#nodes.map((node) => `to ${node.name}`)];
    const rows = this.#nodes.map((from) => [
      `from ${from.name}`,
      ...this.#nodes.map((to) => this.#crossing(from, to)),
    ]);
    const render = (cells: string[]): string =>
      cells.map((cell, column) => cell.padEnd(column === 0 ? 10 : 23)).join('');
    const legend = 'number, and latency of the last ones: median / 99 %';
    return [chalk.bold(render(head)), ...rows.map(render), chalk.gray(`          ${legend}`)];
  }

  #crossing(from: DemoNode, to: DemoNode): string {
    const crossing = this.#traffic.crossing(from.name, to.name);
    const [median, high] = [crossing.latencyMs(0.5), crossing.latencyMs(0.99)];
    if (median === undefined || high === undefined) return '0';
    return `${crossing.messages}, ${median.toFixed(1)} / ${high.toFixed(1)} ms`;
  }
}

/** A suspicion with its age: three rounds of a second decide it. */
function opinion(observer: DemoNode, subject: DemoNode): string {
  const sighting = observer.running ? observer.sees.get(subject.name) : undefined;
  if (sighting === undefined) return chalk.gray(`${observer.name}: -`.padEnd(17));
  const { state, atMs } = sighting;
  const age = state === 'suspect' ? ` ${((performance.now() - atMs) / 1000).toFixed(1)} s` : '';
  return `${observer.name}: ${paint[state](`${state}${age}`.padEnd(13))}`;
}
