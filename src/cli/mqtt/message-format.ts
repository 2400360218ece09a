// How `sub` and `rr` print a message: the payload, the topic and the payload, JSON, or a format with the
// letters of mosquitto_sub -F. A payload goes out byte by byte: only JSON takes it for text.

import type { Command } from 'commander';
import { PropertyId, walkProperties } from '../../mqtt/properties.ts';
import type { PublishView } from '../../mqtt/publish-view.ts';
import { UsageError } from '../exit-codes.ts';

/** @param at when the message arrived */
export type MessageFormat = (view: PublishView, at: Date) => Buffer;

export interface PrintFlags {
  readonly verbose?: boolean;
  readonly format?: string;
  readonly json?: boolean;
  /** False with -N. */
  readonly eol?: boolean;
}

const LINE_END = Buffer.from('\n');

const payloadOnly: MessageFormat = (view) => payloadOf(view);

const topicAndPayload: MessageFormat = (view) =>
  Buffer.concat([topicOf(view), Buffer.from(' '), payloadOf(view)]);

const jsonLine: MessageFormat = (view, at) => Buffer.from(JSON.stringify(fieldsOf(view, at)));

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  e: '\u001b',
  a: '\u0007',
  '\\': '\\',
};

/** What each letter behind % prints. */
const LETTERS: Readonly<Record<string, (view: PublishView, at: Date) => string | Buffer>> = {
  '%': () => '%',
  C: (view) => textProperty(view, PropertyId.contentType),
  D: (view) => binaryProperty(view, PropertyId.correlationData),
  E: (view) => expiryOf(view)?.toString() ?? '',
  I: (_view, at) => at.toISOString(),
  j: (view, at) => JSON.stringify(fieldsOf(view, at)),
  J: (view, at) => JSON.stringify({ ...fieldsOf(view, at), payload: jsonOf(view) }),
  l: (view) => String(view.end - view.payloadStart),
  m: (view) => String(view.packetId),
  p: payloadOf,
  q: ({ qos }) => String(qos),
  r: ({ retain }) => (retain ? '1' : '0'),
  R: (view) => textProperty(view, PropertyId.responseTopic),
  t: topicOf,
  U: (_view, at) => (at.getTime() / 1000).toFixed(3),
  x: (view) => payloadOf(view).toString('hex'),
  X: (view) => payloadOf(view).toString('hex').toUpperCase(),
};

export function addPrintFlags(command: Command): Command {
  return command
    .option('-v, --verbose', 'print the topic before the payload')
    .option(
      '-F, --format <format>',
      'print it so: %t topic, %p payload, %q QoS, %I time, %j JSON ...',
    )
    .option('--json', 'print each message as a line of JSON')
    .option('-N, --no-eol', 'no line end behind a message');
}

/** @throws UsageError */
export function formatOf(flags: PrintFlags): MessageFormat {
  const chosen = chosenFormat(flags);
  if (flags.eol === false) return chosen;
  return (view, at) => Buffer.concat([chosen(view, at), LINE_END]);
}

function chosenFormat({ format, json, verbose }: PrintFlags): MessageFormat {
  if (format !== undefined) return parseFormat(format);
  if (json === true) return jsonLine;
  return verbose === true ? topicAndPayload : payloadOnly;
}

/** @throws UsageError for a letter that is none of the format */
function parseFormat(text: string): MessageFormat {
  const parts: (string | ((view: PublishView, at: Date) => string | Buffer))[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    const next = text[at + 1] ?? '';
    if (character === '\\' && ESCAPES[next] !== undefined) parts.push(ESCAPES[next]);
    else if (character !== '%') {
      parts.push(character);
      continue;
    } else {
      const letter = LETTERS[next];
      if (letter === undefined) {
        const known = Object.keys(LETTERS).join(' ');
        throw new UsageError(`bad value '${text}' for -F: behind % comes one of ${known}`);
      }
      parts.push(letter);
    }
    at += 1;
  }
  return (view, at) =>
    Buffer.concat(
      parts.map((part) => {
        const shown = typeof part === 'string' ? part : part(view, at);
        return typeof shown === 'string' ? Buffer.from(shown) : shown;
      }),
    );
}

/** As mosquitto_sub's %j names them. */
function fieldsOf(view: PublishView, at: Date) {
  return {
    tst: at.toISOString(),
    topic: topicOf(view).toString(),
    qos: view.qos,
    retain: view.retain ? 1 : 0,
    payloadlen: view.end - view.payloadStart,
    ...(view.packetId > 0 && { mid: view.packetId }),
    payload: payloadOf(view).toString(),
  };
}

function jsonOf(view: PublishView): unknown {
  const text = payloadOf(view).toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function topicOf({ buffer, topicStart, topicEnd }: PublishView): Buffer {
  return buffer.subarray(topicStart, topicEnd);
}

export function payloadOf({ buffer, payloadStart, end }: PublishView): Buffer {
  return buffer.subarray(payloadStart, end);
}

/** Value of a property with its length in front; empty where there is none. */
export function binaryProperty(view: PublishView, wanted: number): Buffer {
  let found: Buffer = Buffer.alloc(0);
  const { buffer, propertiesStart, propertiesEnd } = view;
  walkProperties(buffer, propertiesStart, propertiesEnd, 'publish', (id, start, end) => {
    if (id === wanted) found = buffer.subarray(start + 2, end);
  });
  return found;
}

function textProperty(view: PublishView, wanted: number): string {
  return binaryProperty(view, wanted).toString();
}

function expiryOf(view: PublishView): number | undefined {
  let found: number | undefined;
  const { buffer, propertiesStart, propertiesEnd } = view;
  walkProperties(buffer, propertiesStart, propertiesEnd, 'publish', (id, start) => {
    if (id === PropertyId.messageExpiryInterval) found = buffer.readUInt32BE(start);
  });
  return found;
}
