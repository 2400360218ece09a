// `shoal rr`: sends a request and prints the response (MQTT 5.0 4.10), with the flags of mosquitto_rr.

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { encodeMessageProperties } from '../../mqtt/message-properties.ts';
import { PropertyId } from '../../mqtt/properties.ts';
import { describeReasonCode, isFailure, ReasonCode } from '../../mqtt/reason-code.ts';
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
import {
  addPrintFlags,
  binaryProperty,
  formatOf,
  type PrintFlags,
} from '../mqtt/message-format.ts';
import { withClient } from '../mqtt/session.ts';

interface RrFlags extends ConnectionFlags, PrintFlags {
  readonly topic?: string;
  readonly message?: string;
  readonly responseTopic?: string;
  readonly qos: string;
  readonly wait: string;
}

const CORRELATION_BYTES = 8;
const WAIT_SECONDS_MAX = 86_400;

export function addRr(program: Command, context: CliContext): void {
  const command = program
    .command('rr')
    .usage('-t TOPIC -m TEXT [flags]')
    .description('send a request and print the response; flags as of mosquitto_rr')
    .option('-t, --topic <topic>', 'topic of the request')
    .option('-m, --message <text>', 'its payload (default empty)')
    .option('-e, --response-topic <topic>', 'topic of the response (default one of its own)')
    .option('-q, --qos <qos>', 'QoS of both', '0')
    .option(
      '-W, --wait <seconds>',
      `wait this long for the answer, then exit with ${exitCodes.timeout}`,
      '10',
    );
  addPrintFlags(addConnectionFlags(command)).action(async (flags: RrFlags) => {
    const { settings, urlTopic } = connectionOf(flags);
    const topic = flags.topic ?? urlTopic;
    if (topic === undefined) throw missingTopic('rr needs -t TOPIC', flags);
    if (settings.version !== 5) throw new UsageError('rr needs MQTT 5: leave -V out');
    const request = {
      topic: Buffer.from(topicOfFlag(topic)),
      payload: Buffer.from(flags.message ?? ''),
      qos: qosOfFlag(flags.qos),
      retain: false,
    };
    const waitMs = 1000 * wholeNumber(flags.wait, '-W', 1, WAIT_SECONDS_MAX);
    const responseTopic =
      flags.responseTopic === undefined
        ? `response/${settings.clientId}`
        : topicOfFlag(flags.responseTopic, '-e');
    const correlationData = randomBytes(CORRELATION_BYTES);
    const format = formatOf(flags);
    context.exitCode = exitCodes.timeout;
    await withClient(
      settings,
      context,
      async (client, { over, end }) => {
        const filters = [responseTopic];
        const options = { qos: request.qos, noLocal: true, retainAsPublished: false };
        const [granted] = await client.subscribe({ filters, ...options });
        refuseFailure(granted, `the subscription to ${responseTopic}`);
        const properties = encodeMessageProperties({ responseTopic, correlationData });
        const timer = setTimeout(end, waitMs);
        const answer = await client.publish({ ...request, properties });
        refuseFailure(answer, 'the request');
        await over;
        clearTimeout(timer);
      },
      (view, end) => {
        const theirs = binaryProperty(view, PropertyId.correlationData);
        // A responder without correlation data can only mean this request.
        if (theirs.length > 0 && !theirs.equals(correlationData)) return;
        if (context.exitCode === exitCodes.ok) return;
        context.write(format(view, new Date()));
        context.exitCode = exitCodes.ok;
        end();
      },
    );
  });
}

function refuseFailure(reasonCode: number = ReasonCode.success, what: string): void {
  if (!isFailure(reasonCode)) return;
  throw new Error(`the broker refused ${what}: ${describeReasonCode(reasonCode)}`);
}
