// `shoal pub`: publishes messages, with the flags of mosquitto_pub.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { QoS } from '../../mqtt/publish-view.ts';
import { describeReasonCode, isFailure } from '../../mqtt/reason-code.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import {
  addConnectionFlags,
  type ConnectionFlags,
  connectionOf,
  missingTopic,
  qosOfFlag,
  topicOfFlag,
  wholeNumber,
} from '../mqtt/connection-flags.ts';
import { linesOf } from '../mqtt/input-lines.ts';
import type { MqttClient } from '../mqtt/mqtt-client.ts';
import { withClient } from '../mqtt/session.ts';

interface PubFlags extends ConnectionFlags {
  readonly topic?: string;
  readonly message?: string;
  readonly file?: string;
  readonly stdinLine?: boolean;
  readonly stdinFile?: boolean;
  readonly nullMessage?: boolean;
  readonly qos: string;
  readonly retain?: boolean;
  readonly repeat: string;
  readonly repeatDelay: string;
}

const REPEAT_MAX = 1_000_000_000;

export function addPub(program: Command, context: CliContext): void {
  const command = program
    .command('pub')
    .usage('-t TOPIC (-m TEXT | -f FILE | -l | -s | -n) [flags]')
    .description('publish messages; flags as of mosquitto_pub')
    .option('-t, --topic <topic>', 'topic')
    .option('-m, --message <text>', 'payload')
    .option('-f, --file <file>', 'file with the payload')
    .option('-l, --stdin-line', 'one message for each line of standard input')
    .option('-s, --stdin-file', 'all of standard input is the payload')
    .option('-n, --null-message', 'an empty payload; with -r it removes a retained message')
    .option('-q, --qos <qos>', 'QoS', '0')
    .option('-r, --retain', 'the message is retained')
    .option('--repeat <count>', 'publish it so often', '1')
    .option('--repeat-delay <seconds>', 'pause between two of them', '0');
  addConnectionFlags(command).action(async (flags: PubFlags) => {
    const { settings, urlTopic } = connectionOf(flags);
    const topic = flags.topic ?? urlTopic;
    if (topic === undefined) throw missingTopic('pub needs -t TOPIC', flags);
    const message = { topic: Buffer.from(topicOfFlag(topic)), qos: qosOfFlag(flags.qos) };
    const payloads = payloadsOf(flags, context);
    const retain = flags.retain === true;
    await withClient(settings, context, async (client, { over }) => {
      const work = publishAll(client, { ...message, retain }, payloads);
      await Promise.race([work, over]);
    });
    context.exitCode = exitCodes.ok;
  });
}

interface MessageHead {
  readonly topic: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
}

/** Rejects at the first message that the broker refuses. */
async function publishAll(
  client: MqttClient,
  head: MessageHead,
  payloads: AsyncIterable<Buffer>,
): Promise<void> {
  const unacknowledged = new Set<Promise<void>>();
  let refusal: Error | undefined;
  for await (const payload of payloads) {
    const sent = client.publish({ ...head, payload }).then(
      (reasonCode) => {
        unacknowledged.delete(sent);
        if (isFailure(reasonCode)) {
          refusal ??= new Error(`the broker refused it: ${describeReasonCode(reasonCode)}`);
        }
      },
      (error: Error) => {
        refusal ??= error;
      },
    );
    unacknowledged.add(sent);
    // The client makes a sender wait while its window is full.
    if (unacknowledged.size >= UNACKNOWLEDGED_MAX) await Promise.race(unacknowledged);
    if (refusal !== undefined) break;
  }
  await Promise.all(unacknowledged);
  if (refusal !== undefined) throw refusal;
}

const UNACKNOWLEDGED_MAX = 2000;

function payloadsOf(flags: PubFlags, context: CliContext): AsyncIterable<Buffer> {
  const { message, file, stdinLine, stdinFile, nullMessage } = flags;
  const given = [message, file, stdinLine, stdinFile, nullMessage].filter(
    (flag) => flag !== undefined,
  );
  if (given.length !== 1) throw new UsageError('pub needs one of -m, -f, -l, -s and -n');
  if (stdinLine === true) return linesOf(context.input);
  const count = wholeNumber(flags.repeat, '-repeat', 1, REPEAT_MAX);
  const pauseMs = 1000 * secondsOf(flags.repeatDelay);
  if (stdinFile === true) return repeated(async () => allOf(context.input), count, pauseMs);
  const payload = file === undefined ? Buffer.from(message ?? '') : readOrRefuse(file);
  return repeated(async () => payload, count, pauseMs);
}

async function* repeated(
  read: () => Promise<Buffer>,
  count: number,
  pauseMs: number,
): AsyncIterable<Buffer> {
  const payload = await read();
  for (let sent = 0; sent < count; sent++) {
    if (sent > 0 && pauseMs > 0) await delay(pauseMs);
    yield payload;
  }
}

async function allOf(input: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function readOrRefuse(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`-f ${file}: ${describeSystemError(error, 'read')}`);
  }
}

function secondsOf(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : -1;
  if (seconds >= 0) return seconds;
  throw new UsageError(`bad value '${text}' for -repeat-delay: expected seconds, such as 0.5`);
}
