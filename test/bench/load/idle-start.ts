// Starts a node and looks at it when it is idle: how long it takes to listen, and what it occupies.

import { BUNDLE, loopbackFlags, NODE, ShoalProcess } from '../../support/shoal-process.ts';
import { cpuSeconds } from './clock.ts';

/** The heap has settled by then: the start's garbage has been collected or will stay. */
const IDLE_MS = 2000;

export interface Start {
  readonly listeningMs: number;
  /** Processor time, user and system, until the idle node is looked at. */
  readonly processorMs: number;
  readonly residentMegabytes: number;
}

/** A cluster of one node, so that deriving the keys from the token counts. */
export async function startIdle(bundle = BUNDLE, node = NODE): Promise<Start> {
  const startedMs = performance.now();
  const shoal = new ShoalProcess(loopbackFlags('n1', '-csk=secret'), { bundle, node });
  try {
    await shoal.mqttPort();
    const listeningMs = performance.now() - startedMs;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    return {
      listeningMs,
      processorMs: cpuSeconds(shoal.pid) * 1000,
      residentMegabytes: shoal.residentBytes() / 1024 ** 2,
    };
  } finally {
    await shoal.kill();
  }
}
