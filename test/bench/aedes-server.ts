// Runs aedes as a process, for comparison.

import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = await Aedes.createBroker({ concurrency: 1000 });
createServer(broker.handle).listen(Number(process.argv[2]), '127.0.0.1');
