// The same task in aedes: devices send readings; the program publishes a summary of every 1000.

import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker({ concurrency: 1000 });
let readings = 0;
let sum = 0;

broker.subscribe(
  'sensors/#',
  ({ payload }, done) => {
    readings += 1;
    sum += Number(payload);
    if (readings % 1000 > 0) return done();
    const summary = { topic: 'summary', payload: `${readings} ${sum / readings}`, qos: 0 };
    broker.publish({ cmd: 'publish', dup: false, retain: false, ...summary }, done);
  },
  () => undefined,
);

createServer(broker.handle).listen(Number(process.argv[2]), '127.0.0.1');
