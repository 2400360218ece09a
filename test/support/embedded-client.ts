// A client of mqtt.js on a pair of streams in memory, for tests of a broker in the same process.

import { duplexPair } from 'node:stream';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { AttachInfo, Broker } from '../../src/embed/api.ts';

export interface EmbeddedClient {
  readonly mqtt: MqttClient;
  /** Resolves with the next message that has come, or comes. */
  message(): Promise<{ readonly topic: string; readonly text: string; readonly retain: boolean }>;
  end(): Promise<void>;
  /** Ends the stream on the broker's side, as a line that is cut. */
  cut(): void;
}

/** Resolves once the broker has answered; rejects if it has refused. */
export async function connectTo(
  broker: Broker,
  options: IClientOptions = {},
  info?: AttachInfo,
): Promise<EmbeddedClient> {
  const [near, far] = duplexPair();
  broker.attach(far, info);
  const mqtt = new MqttClient(() => near as never, {
    reconnectPeriod: 0,
    // Its timer would keep the process of a test for 90 s after the broker has closed.
    keepalive: 0,
    protocolVersion: 5,
    ...options,
  });
  const messages: { topic: string; text: string; retain: boolean }[] = [];
  const waiting: ((message: (typeof messages)[number]) => void)[] = [];
  mqtt.on('message', (topic, payload, { retain }) => {
    const message = { topic, text: payload.toString(), retain };
    const next = waiting.shift();
    if (next === undefined) messages.push(message);
    else next(message);
  });
  await new Promise<void>((resolve, reject) => {
    mqtt.once('connect', () => resolve());
    mqtt.once('error', (error) => {
      far.destroy();
      reject(error);
    });
  });
  return {
    mqtt,
    message: () =>
      new Promise((resolve) => {
        const message = messages.shift();
        if (message === undefined) waiting.push(resolve);
        else resolve(message);
      }),
    end: () => mqtt.endAsync(),
    cut: () => far.destroy(),
  };
}

/** Resolves in the next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
