// The entry of the npm package: what `import` and `require` of it return. api.ts has the types.

import { version as ownVersion } from '../shared/version.ts';
import type * as api from './api.ts';
import { createBroker as broker } from './create-broker.ts';
import { createNode as node } from './create-node.ts';
import { ShoalError as ErrorClass } from './errors.ts';

// The declarations in api.ts are what the package promises; the compiler compares them here.
export const createBroker: typeof api.createBroker = broker;
export const createNode: typeof api.createNode = node;
export const ShoalError: typeof api.ShoalError = ErrorClass;
export const version: typeof api.version = ownVersion;
