// All fuzz targets.

import type { FuzzTarget } from '../engine/target.ts';
import { bridgeTargets } from './bridge.ts';
import { clientTargets } from './clients.ts';
import { clusterTargets } from './cluster.ts';
import { fileTargets } from './files.ts';
import { httpTargets } from './http.ts';
import { tokenTarget } from './tokens.ts';

export const targets: readonly FuzzTarget[] = [
  ...clientTargets,
  ...clusterTargets,
  tokenTarget,
  ...bridgeTargets,
  ...fileTargets,
  ...httpTargets,
];
