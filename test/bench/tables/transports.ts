// TLS and WebSocket beside other brokers, by the generator in C: messages, and connects with and without a
// resumed TLS session. TLS needs libssl.so.3 for the generator, which Debian's mosquitto needs as well.

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noOpenssl, TestAuthority } from '../../support/certificates.ts';
import { besideEachOther, CHURN, type GeneratorLoad, PAIRS } from '../generator/beside.ts';
import { CompiledGenerator, missingCompiler } from '../generator/compiled.ts';
import {
  amount,
  type Figures,
  figure,
  markdownTable,
  measureRows,
  ofEach,
  percent,
  type Run,
  type Table,
} from '../table.ts';

const TRANSPORTS = { tls: 'TLS', websocket: 'WebSocket' } as const;
const SIZES = { '64 B': 64, '1 KB': 1024 } as const;
const SHAPES = { 'pairs 50:50': PAIRS, 'fan-in 10:1': { publishers: 10 } } as const;
const WINDOWS = { 0: 100, 1: 20 } as const;

function scenarios(): [string, GeneratorLoad][] {
  const rows: [string, GeneratorLoad][] = [];
  for (const transport of ['tls', 'websocket'] as const) {
    for (const qos of [0, 1] as const) {
      for (const [shape, clients] of Object.entries(SHAPES)) {
        for (const [size, bytes] of Object.entries(SIZES)) {
          const window = WINDOWS[qos];
          const name = `${TRANSPORTS[transport]}, QoS ${qos} ${shape}, ${size}, window ${window}`;
          rows.push([name, { ...clients, transport, qos, bytes, window }]);
        }
      }
    }
  }
  rows.push(['TLS connects, 50 at a time', { ...CHURN, transport: 'tls' }]);
  rows.push(['TLS connects, resumed, 50 at a time', { ...CHURN, transport: 'tls', resume: 1 }]);
  rows.push(['WebSocket connects, 50 at a time', { ...CHURN, transport: 'websocket' }]);
  return rows;
}

export const transportsTable: Table = {
  name: 'transports',
  title: 'TLS and WebSocket',
  minutes: { eachRun: 1, once: 0.5 },
  missing: () => missingCompiler() || noOpenssl(),
  measure,
  markdown,
};

async function measure(run: Run): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  const generator = new CompiledGenerator();
  try {
    mkdirSync(join(folder, 'ca'));
    const authority = new TestAuthority(join(folder, 'ca'));
    const certificate = authority.issue('broker', '/CN=broker', 'IP:127.0.0.1');
    // mosquitto, started by root, reads them as another user.
    for (const folderOfKey of [folder, authority.folder]) chmodSync(folderOfKey, 0o755);
    chmodSync(certificate.key, 0o644);
    const brokers = run.brokers.filter((broker) => broker !== 'aedes');
    const rows = scenarios().map(([name, load]) => {
      const beside = () => besideEachOther(generator, load, brokers, run.runs, { certificate });
      return [name, beside] as const;
    });
    return await measureRows(rows, run);
  } finally {
    generator.remove();
    rmSync(folder, { recursive: true });
  }
}

function markdown(figures: Figures): string {
  const head = [
    'scenario',
    'Shoal, a second',
    'times mosquitto',
    'times FlashMQ',
    'CPU each, us: Shoal, mosquitto, FlashMQ',
    'mosquitto CPU to Shoal CPU',
    'core busy: each broker; generator with Shoal',
    'lost: Shoal',
    'resumed: each broker',
  ];
  const rows = Object.entries(figures).map(([name, row]) => [
    name,
    amount(figure(row, 'shoal.rate')),
    amount(figure(row, 'shoal.rate') / figure(row, 'mosquitto.rate')),
    amount(figure(row, 'shoal.rate') / figure(row, 'flashmq.rate')),
    ofEach(row, 'brokerUs', amount),
    amount(figure(row, 'mosquitto.brokerUs') / figure(row, 'shoal.brokerUs')),
    `${ofEach(row, 'brokerBusy', percent)}; ${percent(figure(row, 'shoal.generatorBusy'))}`,
    amount(figure(row, 'shoal.lost')),
    'shoal.resumed' in row ? ofEach(row, 'resumed', percent) : '-',
  ]);
  return markdownTable(head, rows);
}
