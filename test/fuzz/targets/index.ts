// All fuzz targets.

import type { FuzzTarget } from '../engine/target.ts';
import { bridgeTarget } from './bridge.ts';
import { clientTargets } from './clients.ts';
import { clusterTargets } from './cluster.ts';
import { fileTargets } from './files.ts';

export const targets: readonly FuzzTarget[] = [
  ...clientTargets,
  ...clusterTargets,
  bridgeTarget,
  ...fileTargets,
];
