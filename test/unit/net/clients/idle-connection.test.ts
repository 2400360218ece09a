// What an idle connection keeps in the heap beside its socket, with the line of the log that the node keeps for its client.

import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { Broker } from '../../../../src/broker/broker.ts';
import { ClientTimeline } from '../../../../src/http/client-timeline.ts';
import { EventLog } from '../../../../src/http/event-log.ts';
import { Connection } from '../../../../src/net/clients/connection.ts';
import { PreConnectLimit } from '../../../../src/net/clients/pre-connect-limit.ts';
import type { Transport } from '../../../../src/net/clients/transport.ts';
import { silentLogger } from '../../../../src/shared/logger.ts';
import { usedBytes } from '../../../support/heap-summary.ts';
import { connect } from '../../../support/wire.ts';

const CONNECTIONS = 2000;
/** 2,670 with Node 20, the emitter of this test included. A spread that is kept adds 400 there. */
const BYTES_MAX = 2900;

class IdleTransport extends EventEmitter implements Transport {
  writable = true;
  writableLength = 0;
  write(): void {}
  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {
    this.emit('close');
  }
}

test('an idle connection is a few small objects', async () => {
  const log = new EventLog(silentLogger);
  const timeline = new ClientTimeline();
  log.listen((event) => timeline.take(event));
  const now = performance.now();
  const broker = new Broker({ options: { sysIntervalSeconds: 0 }, random: () => 0, now, log });
  const limit = new PreConnectLimit();
  const transports: IdleTransport[] = [];
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const transport = new IdleTransport();
      const info = { remoteAddress: '192.0.2.1', remotePort: i, listenerAddress: '[::]:1883' };
      const connection = new Connection(transport, broker, info);
      connection.limitBeforeConnect(limit, transport);
      transports.push(transport);
      const clientId = `idle-${transports.length}`;
      transport.emit('data', connect({ version: 4, clientId }));
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  await open(CONNECTIONS);
  const before = usedBytes();
  await open(CONNECTIONS);
  const each = (usedBytes() - before) / CONNECTIONS;
  for (const transport of transports) transport.destroy();
  assert.ok(each > 0 && each < BYTES_MAX, `${each} bytes each`);
});
