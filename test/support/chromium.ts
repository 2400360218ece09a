// A page in headless Chromium, driven by its DevTools protocol: what a person sees and clicks.
// Source: the Chrome DevTools Protocol, domains Page, Runtime, Emulation and Input.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
];
const WAIT_MS_MAX = 30_000;
/** A command of DevTools without an answer: the test fails with its name, and does not hang. */
const COMMAND_MS_MAX = 90_000;
const LOOK_EVERY_MS = 50;

const program = NAMES.find((name) => spawnSync(name, ['--version']).status === 0);

/** For the option `skip` of a test. */
export const noChromium = program === undefined ? 'needs chromium' : false;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Browser {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;
  #session = '';
  /** Errors of the page: what it printed as an error, and what the browser refused. */
  readonly faults: string[] = [];

  private constructor(browser: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = browser;
    this.#profile = profile;
    this.#socket = socket;
    socket.on('message', (data) => this.#take(JSON.parse(String(data)) as Answer));
  }

  /** @param flags more of the browser's own */
  static async open(...flags: string[]): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'shoal-browser-'));
    const child = spawn(
      program ?? '',
      [...FLAGS, `--user-data-dir=${profile}`, ...flags, 'about:blank'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true,
      },
    );
    const url = await new Promise<string>((resolve, reject) => {
      let output = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const found = /^DevTools listening on (ws:\S+)$/m.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', () => reject(new Error(`the browser ended:\n${output}`)));
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const browser = new Browser(child, profile, socket);
    const { targetInfos } = await browser.#send('Target.getTargets');
    const target = (targetInfos as { type: string; targetId: string }[]).find(
      ({ type }) => type === 'page',
    );
    const attached = await browser.#send('Target.attachToTarget', {
      targetId: target?.targetId,
      flatten: true,
    });
    browser.#session = String(attached.sessionId);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network'])
      await browser.#send(`${domain}.enable`);
    return browser;
  }

  async goto(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  /** @param scheme of colours that the reader prefers */
  async resize(width: number, height: number, scheme: 'light' | 'dark'): Promise<void> {
    await this.#send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    await this.#send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
  }

  /** @param script an expression, or a promise of one, whose value is JSON */
  async evaluate<T>(script: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression: script,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  get text(): Promise<string> {
    return this.evaluate<string>("document.body?.innerText ?? ''");
  }

  /** Waits until the page shows it. */
  async see(wanted: RegExp): Promise<void> {
    await this.#until(`the page does not show ${wanted}`, async () => wanted.test(await this.text));
  }

  /** Waits until an element matches the selector. */
  async find(selector: string): Promise<void> {
    const isFound = `document.querySelector(${JSON.stringify(selector)}) !== null`;
    await this.#until(`nothing matches ${selector}`, () => this.evaluate<boolean>(isFound));
  }

  /** Waits for a button, link or summary that begins with this text and is enabled, and clicks it. */
  async click(label: string): Promise<void> {
    const clickIt = `(() => {
      const all = [...document.querySelectorAll('button:enabled, a, summary')];
      const found = all.find((one) => one.textContent.trim().startsWith(${JSON.stringify(label)}));
      found?.click();
      return found !== undefined;
    })()`;
    await this.#until(`nothing to click is called ${label}`, () => this.evaluate<boolean>(clickIt));
  }

  /** Waits for a field and puts a text into it, as typing does. */
  async type(selector: string, text: string): Promise<void> {
    await this.find(selector);
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
    await this.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
    await this.#send('Input.insertText', { text });
  }

  /** @param key as KeyboardEvent.key */
  async press(key: string): Promise<void> {
    const typed = key.length === 1 ? { text: key } : {};
    await this.#send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...typed });
    await this.#send('Input.dispatchKeyEvent', { type: 'keyUp', key });
  }

  /** @returns an image of what is in view */
  async screenshot(format: 'png' | 'webp' = 'png'): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', {
      format,
      ...(format === 'webp' && { quality: 85 }),
    });
    return Buffer.from(String(data), 'base64');
  }

  /** Ends the process group of the browser. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    const { pid, exitCode } = this.#process;
    this.#socket.terminate();
    if (pid !== undefined && exitCode === null) {
      process.kill(-pid, 'SIGKILL');
      await ended;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Asks until it is so; the error begins with `fault` and ends with the text of the page. */
  async #until(fault: string, isSo: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + WAIT_MS_MAX;
    // A page that is about to give way to another one answers with an error.
    while (!(await isSo().catch(() => false))) {
      if (performance.now() > endMs) throw new Error(`${fault}:\n${await this.text}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  #send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const sessionId = this.#session === '' ? undefined : this.#session;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${method}: no answer: ${JSON.stringify(params).slice(0, 200)}`)),
        COMMAND_MS_MAX,
      );
      this.#waiting.set(id, ({ result = {}, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  #take(answer: Answer): void {
    if (answer.id !== undefined) {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    } else if (answer.method === 'Log.entryAdded') {
      const { entry } = answer.params as { entry: { level: string; text: string } };
      if (entry.level === 'error') this.faults.push(entry.text);
    } else if (answer.method === 'Runtime.exceptionThrown') {
      this.faults.push(JSON.stringify(answer.params));
    }
  }
}
