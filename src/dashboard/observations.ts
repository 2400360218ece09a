// What each node alone can see, by the name of the node.

import type { Observations } from '../http/node-api.ts';

export type ObservationsByNode = ReadonlyMap<string, Observations>;
