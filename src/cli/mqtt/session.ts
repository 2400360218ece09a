// Runs a command that uses an MQTT client: connects, ends the command at SIGINT, SIGTERM, a lost
// connection or a reader that has gone, and always disconnects.

import type { PublishView } from '../../mqtt/publish-view.ts';
import type { CliContext } from '../context.ts';
import { type ClientSettings, MqttClient } from './mqtt-client.ts';

/** Ends a command that runs until something happens. */
export interface Ending {
  /** Resolves, or rejects with the reason, when the command has to end. */
  readonly over: Promise<void>;
  end(): void;
}

/**
 * @param use may return early; `ending.over` says when it has to
 * @param onMessage called with each message, also with those that a kept session brings at once
 * Rejects with a ClientError if the connection cannot be made or is lost.
 */
export async function withClient(
  settings: ClientSettings,
  context: CliContext,
  use: (client: MqttClient, ending: Ending) => Promise<void>,
  onMessage: (view: PublishView, end: () => void) => void = () => undefined,
): Promise<void> {
  let end: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const over = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  // No command waits for it while it publishes.
  over.catch(() => undefined);
  const client = await MqttClient.connect(settings, {
    onMessage: (view) => onMessage(view, end),
    onLost: fail,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) context.onSignal(signal, end);
  context.onOutputClosed(end);
  try {
    await use(client, { over, end });
  } finally {
    await client.end();
  }
}
