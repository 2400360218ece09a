// Every table of docs/performance.md, in its order.

import type { Table } from '../table.ts';
import { betweenNodesTable } from './between-nodes.ts';
import { bridgeTable } from './bridge.ts';
import { clusterTable, hostsTable } from './cluster.ts';
import { connectionsTable } from './connections.ts';
import { coreTable } from './core.ts';
import { floodTable } from './flood.ts';
import { independentTable } from './independent.ts';
import { memoryTable } from './memory.ts';
import { nodeTable } from './node.ts';
import { nodesTable } from './nodes.ts';
import { pausesTable } from './pauses.ts';
import { transportsTable } from './transports.ts';

export const TABLES: readonly Table[] = [
  nodeTable,
  independentTable,
  transportsTable,
  connectionsTable,
  floodTable,
  pausesTable,
  memoryTable,
  coreTable,
  clusterTable,
  betweenNodesTable,
  hostsTable,
  nodesTable,
  bridgeTable,
];
