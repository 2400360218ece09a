// `shoal sub`: subscribes and prints what arrives, with the flags of mosquitto_sub.

import type { Command } from 'commander';
import { SESSION_EXPIRY_NEVER } from '../../mqtt/limits.ts';
import type { PublishView } from '../../mqtt/publish-view.ts';
import { describeReasonCode, isFailure } from '../../mqtt/reason-code.ts';
import {
  isSharedFilter,
  isTopicFilter,
  parseSharedFilter,
  topicMatches,
} from '../../mqtt/topic.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import {
  addConnectionFlags,
  type ConnectionFlags,
  connectionOf,
  missingTopic,
  qosOfFlag,
  wholeNumber,
} from '../mqtt/connection-flags.ts';
import {
  addPrintFlags,
  formatOf,
  type MessageFormat,
  type PrintFlags,
  topicOf,
} from '../mqtt/message-format.ts';
import type { MqttClient } from '../mqtt/mqtt-client.ts';
import { withClient } from '../mqtt/session.ts';

interface SubFlags extends ConnectionFlags, PrintFlags {
  readonly topic?: string[];
  readonly filterOut?: string[];
  readonly unsubscribe?: string[];
  readonly qos: string;
  readonly count?: string;
  readonly wait?: string;
  readonly skipRetained?: boolean;
  readonly retainedOnly?: boolean;
  readonly disableCleanSession?: boolean;
  readonly sessionExpiryInterval?: string;
  /** False with -no-local. */
  readonly local?: boolean;
  readonly retainAsPublished?: boolean;
}

const COUNT_MAX = 1_000_000_000;
const WAIT_SECONDS_MAX = 31_536_000;

/** For an option that may be given several times. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

export function addSub(program: Command, context: CliContext): void {
  const command = program
    .command('sub')
    .usage('-t FILTER ... [flags]')
    .description('subscribe and print messages; flags as of mosquitto_sub')
    .option('-t, --topic <filter>', 'topic filter; may be given several times', collect)
    .option('-T, --filter-out <filter>', 'do not print messages that match', collect)
    .option('-U, --unsubscribe <filter>', 'unsubscribe from it first', collect)
    .option('-q, --qos <qos>', 'highest QoS', '0')
    .option('-C, --count <count>', 'end after so many messages')
    .option('-W, --wait <seconds>', `end after this time, with exit code ${exitCodes.timeout}`)
    .option('-R, --skip-retained', 'do not print retained messages that were there before')
    .option('--retained-only', 'print retained messages only, and end at the first other one')
    .option('-c, --disable-clean-session', 'keep the session (with -i)')
    .option('-x, --session-expiry-interval <seconds>', 'for how long it is kept without us')
    .option('--no-local', 'not what this client publishes')
    .option('--retain-as-published', 'keep the retain flag of messages');
  addPrintFlags(addConnectionFlags(command)).action(async (flags: SubFlags) => {
    const { settings, urlTopic } = connectionOf(flags);
    const filters = (flags.topic ?? (urlTopic === undefined ? [] : [urlTopic])).map(filterOfFlag);
    if (filters.length === 0) throw missingTopic('sub needs -t FILTER', flags);
    const isKept = flags.disableCleanSession === true;
    if (isKept && flags.id === undefined)
      throw new UsageError('-c needs -i, the name of the session');
    const expiry = flags.sessionExpiryInterval;
    const kept = {
      cleanStart: !isKept,
      sessionExpirySeconds:
        expiry === undefined
          ? isKept
            ? SESSION_EXPIRY_NEVER
            : 0
          : wholeNumber(expiry, '-x', 0, SESSION_EXPIRY_NEVER),
    };
    const printer = new Printer(flags, context);
    let isTimeout = false;
    await withClient(
      { ...settings, ...kept },
      context,
      async (client, ending) => {
        const timer = startTimer(flags.wait, () => {
          isTimeout = true;
          ending.end();
        });
        await subscribe(client, filters, flags);
        await ending.over;
        clearTimeout(timer);
      },
      (view, end) => printer.print(view, end),
    );
    context.exitCode = isTimeout ? exitCodes.timeout : exitCodes.ok;
  });
}

/** Prints messages until there are enough of them. */
class Printer {
  readonly #context: CliContext;
  readonly #flags: SubFlags;
  readonly #format: MessageFormat;
  readonly #hidden: readonly string[];
  #left: number;

  constructor(flags: SubFlags, context: CliContext) {
    this.#context = context;
    this.#flags = flags;
    this.#format = formatOf(flags);
    this.#hidden = (flags.filterOut ?? []).map(filterOfFlag);
    this.#left =
      flags.count === undefined ? Infinity : wholeNumber(flags.count, '-C', 1, COUNT_MAX);
  }

  /** @param end called when the command has printed all that it was asked for */
  print(view: PublishView, end: () => void): void {
    if (this.#flags.retainedOnly === true && !view.retain) end();
    else if (this.#left > 0 && this.#isWanted(view)) {
      this.#context.write(this.#format(view, new Date()));
      this.#left -= 1;
      if (this.#left === 0) end();
    }
  }

  #isWanted(view: PublishView): boolean {
    if (view.retain && this.#flags.skipRetained === true) return false;
    if (this.#hidden.length === 0) return true;
    const topic = topicOf(view).toString();
    return !this.#hidden.some((filter) => topicMatches(filter, topic));
  }
}

async function subscribe(
  client: MqttClient,
  filters: readonly string[],
  flags: SubFlags,
): Promise<void> {
  if (flags.unsubscribe !== undefined) await client.unsubscribe(flags.unsubscribe);
  const granted = await client.subscribe({
    filters,
    qos: qosOfFlag(flags.qos),
    noLocal: flags.local === false,
    retainAsPublished: flags.retainAsPublished === true,
  });
  const refused = granted.findIndex(isFailure);
  if (refused === -1) return;
  const reason = describeReasonCode(granted[refused] ?? 0);
  throw new Error(`the broker refused the subscription to ${filters[refused]}: ${reason}`);
}

/** @throws UsageError */
function filterOfFlag(filter: string): string {
  const isGood = isSharedFilter(filter)
    ? parseSharedFilter(filter) !== undefined
    : isTopicFilter(filter);
  if (isGood) return filter;
  throw new UsageError(
    `bad value '${filter}' for a topic filter: expected one such as home/+/t or #`,
  );
}

function startTimer(wait: string | undefined, done: () => void): NodeJS.Timeout | undefined {
  if (wait === undefined) return undefined;
  return setTimeout(done, 1000 * wholeNumber(wait, '-W', 1, WAIT_SECONDS_MAX));
}
