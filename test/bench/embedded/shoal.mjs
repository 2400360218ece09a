// The task in Shoal: devices send readings; the program sums them up and publishes a summary of every 1000.

import { createServer } from 'node:net';
import { createBroker } from '../../../dist/index.mjs';

const broker = await createBroker();
let readings = 0;
let sum = 0;

await broker.subscribe('sensors/#', ({ payload }) => {
  readings += 1;
  sum += Number(payload);
  if (readings % 1000 === 0) {
    void broker.publish({ topic: 'summary', payload: `${readings} ${sum / readings}` });
  }
});

createServer((socket) => broker.attach(socket)).listen(Number(process.argv[2]), '127.0.0.1');
