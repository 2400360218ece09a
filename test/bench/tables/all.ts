// Every table of docs/performance.md, in its order.

import type { Table } from '../table.ts';
import { clusterTable, hostsTable } from './cluster.ts';
import { connectionsTable } from './connections.ts';
import { coreTable } from './core.ts';
import { floodTable } from './flood.ts';
import { nodeTable } from './node.ts';
import { nodesTable } from './nodes.ts';
import { pausesTable } from './pauses.ts';

export const TABLES: readonly Table[] = [
  nodeTable,
  connectionsTable,
  floodTable,
  pausesTable,
  coreTable,
  clusterTable,
  hostsTable,
  nodesTable,
];
