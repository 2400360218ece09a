// The load generator in C counts what arrives, and notices each message that a broker loses, doubles or delays.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { noOpenssl, TestAuthority } from '../../support/certificates.ts';
import { ShoalProcess } from '../../support/shoal-process.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { CompiledGenerator, type GeneratorOptions, missingCompiler } from './compiled.ts';

/** What the broker of this test does with its 100th message. */
type Fault = 'none' | 'loses' | 'doubles' | 'delays';
const FAULT_AT = 100;

/** Answers all that the generator sends; forwards each message to every subscriber. */
class FaultyBroker {
  readonly #server: Server;
  readonly #subscribers = new Set<Socket>();
  readonly #fault: Fault;
  #messages = 0;
  #delayed: Buffer | undefined;
  /** Messages that its subscribers acknowledged. */
  acknowledged = 0;

  constructor(fault: Fault) {
    this.#fault = fault;
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#server.listen(0, '127.0.0.1');
  }

  async address(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when all that the generator sent has been read. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #serve(socket: Socket): void {
    let rest = Buffer.alloc(0);
    socket.on('error', () => this.#subscribers.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let packet = first(rest); packet !== undefined; packet = first(rest)) {
        rest = rest.subarray(packet.length);
        this.#answer(socket, packet);
      }
    });
  }

  #answer(socket: Socket, packet: Buffer): void {
    const type = packet[0]! >> 4;
    if (type === 1) socket.write(Buffer.from([0x20, 2, 0, 0]));
    else if (type === 8) {
      this.#subscribers.add(socket);
      socket.write(Buffer.from([0x90, 3, 0, 1, packet.at(-1)!]));
    } else if (type === 3) this.#forward(packet);
    else if (type === 4) this.acknowledged += 1;
    else if (type === 14) socket.end();
  }

  #forward(packet: Buffer): void {
    this.#messages += 1;
    const isFaulty = this.#messages === FAULT_AT;
    if (isFaulty && this.#fault === 'loses') return;
    if (isFaulty && this.#fault === 'delays') {
      this.#delayed = packet;
      return;
    }
    const copies = isFaulty && this.#fault === 'doubles' ? [packet, packet] : [packet];
    if (this.#delayed !== undefined) copies.push(this.#delayed);
    this.#delayed = undefined;
    for (const subscriber of this.#subscribers) subscriber.write(Buffer.concat(copies));
  }
}

/** @returns the first whole packet of the bytes */
function first(bytes: Buffer): Buffer | undefined {
  const isLong = (bytes[1] ?? 0) > 127;
  if (bytes.length < (isLong ? 3 : 2)) return undefined;
  const length = isLong ? 3 + (bytes[1]! & 127) + bytes[2]! * 128 : 2 + bytes[1]!;
  return bytes.length < length ? undefined : bytes.subarray(0, length);
}

describe('the load generator in C', { skip: missingCompiler() }, () => {
  let generator: CompiledGenerator;
  before(() => {
    generator = new CompiledGenerator();
  });
  after(() => generator.remove());

  /** Ends after a number of messages, however long they take. */
  async function run(fault: Fault, options: Partial<GeneratorOptions> = {}) {
    const broker = new FaultyBroker(fault);
    const publish = await broker.address();
    const end = { warmup: 0, seconds: 60, limit: 500, patience: 20 };
    const result = await generator.run({ publish, publishers: 3, window: 4, ...end, ...options });
    await broker.close();
    const { sent = 0, lost, late, doubled } = result;
    return { broker, result, sent, counts: { lost, late, doubled } };
  }

  test('finds nothing wrong with a broker that forwards each message once', async () => {
    const { sent, counts } = await run('none', { subscribers: 2 });
    assert.deepEqual(counts, { lost: 0, late: 0, doubled: 0 });
    assert.ok(sent >= 500, `only ${sent} messages`);
  });

  test('counts the one message that was lost', async () => {
    const { counts } = await run('loses');
    assert.deepEqual(counts, { lost: 1, late: 0, doubled: 0 });
  });

  test('counts the lost message at each subscriber', async () => {
    const { counts } = await run('loses', { subscribers: 2 });
    assert.deepEqual(counts, { lost: 2, late: 0, doubled: 0 });
  });

  test('counts a message that arrives twice', async () => {
    const { counts } = await run('doubles');
    assert.deepEqual(counts, { lost: 0, late: 0, doubled: 1 });
  });

  test('counts a message that a later one of its publisher overtakes', async () => {
    const { counts } = await run('delays', { publishers: 1 });
    assert.deepEqual(counts, { lost: 0, late: 1, doubled: 0 });
  });

  test('goes on at window 1 after a loss', async () => {
    const { result, counts } = await run('loses', { publishers: 1, window: 1, patience: 2 });
    assert.equal(counts.lost, 1);
    assert.ok(Number(result.stalls) >= 1);
  });

  test('acknowledges each message of QoS 1, also one of 3,900 bytes', async () => {
    const { broker, sent, counts } = await run('none', { qos: 1, bytes: 3900 });
    assert.deepEqual(counts, { lost: 0, late: 0, doubled: 0 });
    assert.equal(broker.acknowledged, sent);
  });

  test('sends at a fixed rate, no message before it is due', async () => {
    const { result, counts } = await run('none', { publishers: 2, rate: 1000 });
    assert.deepEqual(counts, { lost: 0, late: 0, doubled: 0 });
    assert.ok(result.rate < 1010, `${result.rate} messages a second`);
  });

  test('counts connections until the broker has closed them', async () => {
    const { result } = await run('none', { churn: 1, publishers: 5, limit: 50 });
    assert.ok(result.rate > 0);
    assert.equal(result.lost, undefined);
  });

  test('carries the same messages over WebSocket and TLS, and resumes TLS sessions', {
    skip: noOpenssl(),
  }, async (t) => {
    const folder = temporaryFolder(t);
    const { cert, key } = new TestAuthority(folder).issue('n1', '/CN=n1', 'IP:127.0.0.1');
    const flags = ['-nid=n1', '-bind=127.0.0.1', '-port=off', '-mdns=off', '-tls=0', '-ws=0'];
    const shoal = new ShoalProcess([...flags, `-cert=${cert}`, `-key=${key}`]);
    t.after(() => shoal.kill());
    const address = { tls: await shoal.mqttPort('tls'), websocket: await shoal.mqttPort('ws') };
    for (const transport of ['tls', 'websocket'] as const) {
      const publish = `127.0.0.1:${address[transport]}`;
      const load = { publishers: 3, bytes: 1024, qos: 1, window: 20 } as const;
      const end = { warmup: 0, seconds: 60, limit: 2000, patience: 20 };
      const {
        sent = 0,
        lost,
        doubled,
      } = await generator.run({ publish, transport, ...load, ...end });
      assert.deepEqual({ lost, doubled }, { lost: 0, doubled: 0 }, transport);
      assert.ok(sent >= 2000, `${sent} messages over ${transport}`);
    }
    const publish = `127.0.0.1:${address.tls}`;
    const connects = { churn: 1, publishers: 2, warmup: 0, seconds: 60, limit: 20 } as const;
    const { resumed } = await generator.run({ publish, transport: 'tls', resume: 1, ...connects });
    assert.ok(Number(resumed) > 0.5, `${resumed} of the sessions were resumed`);
  });

  test('says which option it does not know', async () => {
    const options = { publish: '127.0.0.1:1', wimdow: 3 };
    await assert.rejects(generator.run(options), /an unknown option: wimdow/);
  });
});
