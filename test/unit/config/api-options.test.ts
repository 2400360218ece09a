// Compares src/embed/api-options.ts with the option table. To write the file after a change of the table:
// UPDATE_DOCS=1 npx tsx test/run.ts test/unit/config

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bridgeTable } from '../../../src/config/bridges.ts';
import { optionTable } from '../../../src/config/config.ts';
import { listenerTable } from '../../../src/config/listeners.ts';
import type { AnyOption } from '../../../src/config/option.ts';
import { brokerKeys } from '../../../src/embed/create-broker.ts';
import { inOptionNames, nodeKeys, optionName } from '../../../src/embed/option-names.ts';

const FILE = 'src/embed/api-options.ts';
const LINE_LENGTH_MAX = 100;

const HEAD = `// The options of createBroker() and createNode() as types, made from the option table by
// test/unit/config/api-options.test.ts: each is the flag of the command line in camelCase. Not edited by
// hand. Part of the public API, as api.ts.
`;

const NODE_TABLES = `
  /** Listeners besides those of \`port\`, \`tls\`, \`ws\` and \`wss\`. */
  listeners?: readonly ListenerSettings[];
  /** Bridges to other brokers. */
  bridges?: readonly BridgeSettings[];`;

test('the types of the options are those of the option table', () => {
  const rows = (keys: readonly (keyof typeof optionTable)[]) => keys.map((key) => optionTable[key]);
  const brokerKeySet = new Set<keyof typeof optionTable>(brokerKeys);
  const wanted = [
    HEAD,
    declare('BrokerSettings', 'What a broker without sockets can be set to.', rows(brokerKeys)),
    declare(
      'NodeSettings extends BrokerSettings',
      'What a node can be set to: all options of the command line.',
      rows(nodeKeys.filter((key) => !brokerKeySet.has(key))),
      NODE_TABLES,
    ),
    declare(
      'ListenerSettings',
      'A listener; what is missing is as the node has it.',
      Object.values(listenerTable),
    ),
    declare('BridgeSettings', 'A bridge to another broker.', Object.values(bridgeTable)),
  ].join('\n');
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(FILE, wanted);
  assert.equal(readFileSync(FILE, 'utf8'), wanted);
});

function declare(name: string, text: string, rows: readonly AnyOption[], more = ''): string {
  const members = rows.map((row) => `${comment(row)}\n  ${optionName(row.flag)}?: ${typeOf(row)};`);
  return `/** ${text} */\nexport interface ${name} {\n${members.join('\n')}${more}\n}\n`;
}

function comment(row: AnyOption): string {
  const { help, type, fallback, fallbackText } = row;
  const isPlain = fallback === undefined || typeof fallback === 'function';
  const shown = fallbackText ?? (isPlain ? 'none' : String(type.format(fallback)));
  const isWord = type.placeholder === undefined;
  const form = isWord ? '' : ` Expects ${type.expected}.`;
  const text = inOptionNames(`${sentence(help)}${form} Default: ${shown}.`);
  return `  /**\n${wrap(text)}\n   */`;
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase()}${text.slice(1)}.`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '   *';
  for (const word of text.split(' ')) {
    if (`${line} ${word}`.length > LINE_LENGTH_MAX) {
      lines.push(line);
      line = '   *';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}

/** A value of the type, as TypeScript has it. Sizes and times also take a number without a unit. */
function typeOf({ type: { placeholder, expected } }: AnyOption): string {
  if (placeholder === undefined) return 'boolean';
  if (placeholder === 'n') return 'number';
  if (placeholder === '0|1|2') return '0 | 1 | 2';
  if (placeholder === 'port') return expected.endsWith('or off') ? "number | 'off'" : 'number';
  if (/^(bytes|time)(\|off)?$/.test(placeholder)) return 'number | string';
  if (/,\.\.\.$|^tokens$/.test(placeholder) || expected.includes('separated by commas'))
    return 'string | readonly string[]';
  if (expected.startsWith('one of ')) {
    const words = placeholder.split('|');
    return words.map((word) => `'${word}'`).join(' | ');
  }
  if (placeholder.includes('port')) return 'string | number';
  return 'string';
}
