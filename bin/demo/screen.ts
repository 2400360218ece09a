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

const paint: Readonly<Record<SeenState | 'starting', (text: string) => string>> = {
  starting: chalk.gray,
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

  /** Leaves the last picture where it stands. */
  close(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw();
    process.stdout.write('\u001b[?25h');
  }

  #add(text: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(2).padStart(6);
    const line = `${chalk.gray(`${seconds} s`)}  ${text}`;
    this.#history.push(line);
    if (!terminal) process.stdout.write(`${line}\n`);
  }

  #draw(): void {
    const lines = ['', ...this.table(), '', ...this.#history.slice(-HISTORY_LINES), ''];
    const back = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A`;
    process.stdout.write(`${back}\u001b[0J${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #memberTable(): string[] {
    const head = 'node   process   mqtt    gossip            the others say';
    const rows = this.#nodes.map((node) => {
      const process = node.running ? String(node.process?.pid) : 'killed';
      const opinions = this.#nodes
        .filter((other) => other !== node)
        .map((other) => this.#opinion(other, node))
        .join('   ');
      const port = String(node.mqttPort || '-');
      return `${node.name.padEnd(7)}${process.padEnd(10)}${port.padEnd(8)}${node.gossipAddress.padEnd(18)}${opinions}`;
    });
    return [chalk.bold(head), ...rows];
  }

  #opinion(observer: DemoNode, subject: DemoNode): string {
    if (!observer.running) return chalk.gray(`${observer.name}: -`.padEnd(12));
    const state = observer.sees.get(subject.name) ?? 'starting';
    return `${observer.name}: ${paint[state](state.padEnd(8))}`;
  }

  #crossingTable(): string[] {
    const head = ['messages', ...this.#nodes.map((node) => `to ${node.name}`)];
    const rows = this.#nodes.map((from) => [
      `from ${from.name}`,
      ...this.#nodes.map((to) => this.#crossing(from, to)),
    ]);
    const render = (cells: string[]): string =>
      cells.map((cell, column) => cell.padEnd(column === 0 ? 10 : 26)).join('');
    return [
      `${chalk.bold(render(head))}${chalk.gray('count, median / 99 % latency')}`,
      ...rows.map(render),
    ];
  }

  #crossing(from: DemoNode, to: DemoNode): string {
    const crossing = this.#traffic.crossing(from.name, to.name);
    const [median, high] = [crossing.latencyMs(0.5), crossing.latencyMs(0.99)];
    if (median === undefined || high === undefined) return '0';
    return `${crossing.messages}, ${median.toFixed(2)} / ${high.toFixed(2)} ms`;
  }
}
