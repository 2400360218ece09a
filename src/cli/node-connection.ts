// The node that a command asks: by -control, by its name with -nid, or the one that runs on this machine.
// Every command over the control socket has these flags, and gets the same sentences when no node answers,
// when it is an older one, or when the socket belongs to another user.

import type { Command } from 'commander';
import type { SentEvent } from '../shared/sent-events.ts';
import type { CliContext } from './context.ts';
import {
  type ControlClient,
  type ControlRequest,
  findNode,
  type NodeChoice,
  RefusedError,
} from './control-client.ts';
import { sentEvents } from './event-source.ts';

export interface NodeFlags {
  readonly nid?: string;
  readonly control?: string;
  readonly json?: boolean;
}

/** Values of -control that name no socket. */
const NO_PATHS: readonly string[] = ['', 'auto', 'off'];

export function addNodeFlags(command: Command): Command {
  command.option('--json', 'print JSON');
  return addNodeChoice(command);
}

/** For a command that prints JSON anyway. */
export function addNodeChoice(command: Command): Command {
  return command
    .option('--nid <name>', 'node of this machine, if several run here')
    .option('--control <path>', 'its control socket, if it is not in the usual folder');
}

/** By the flags of the command, else by SHOAL_NID and SHOAL_CONTROL. */
export function nodeChoiceOf(command: Command, { environment }: CliContext): NodeChoice {
  const { nid, control } = command.opts<NodeFlags>();
  const path = control ?? environment.SHOAL_CONTROL ?? '';
  const isPath = !NO_PATHS.includes(path);
  return {
    nodeName: nid ?? environment.SHOAL_NID,
    controlPath: isPath ? path : undefined,
  };
}

export class NodeConnection {
  readonly #client: ControlClient;

  private constructor(client: ControlClient) {
    this.#client = client;
  }

  /** The node of nodeChoiceOf. Rejects with NoNodeError. */
  static async open(command: Command, context: CliContext): Promise<NodeConnection> {
    return new NodeConnection(await findNode(nodeChoiceOf(command, context)));
  }

  /**
   * The only node that runs on this machine, whatever its name is.
   * @param path of its control socket, if it is not in the usual folder
   * Rejects with NoNodeError.
   */
  static async ofMachine(path: string | undefined): Promise<NodeConnection> {
    return new NodeConnection(await findNode({ nodeName: undefined, controlPath: path }));
  }

  /**
   * @param route with its parameters in place, as `/api/v1/clients/thermo7`
   * @returns the JSON of the response
   * Rejects with RefusedError or NoNodeError.
   */
  async ask<T>(
    route: string,
    { query = {}, ...request }: Omit<ControlRequest, 'path'> & { readonly query?: Query } = {},
  ): Promise<T> {
    try {
      return (await this.#client.ask({ path: withQuery(route, query), ...request })) as T;
    } catch (error) {
      throw explainOldNode(error);
    }
  }

  /** Server-sent events until the response ends or `over` is aborted. Rejects as ask() does. */
  async *events(route: string, query: Query, over: AbortSignal): AsyncIterable<SentEvent> {
    const response = await this.#client.open({ path: withQuery(route, query) });
    const end = (): void => {
      response.destroy();
    };
    over.addEventListener('abort', end, { once: true });
    try {
      if (response.statusCode !== 200) await this.ask(route, { query });
      yield* sentEvents(response);
    } catch (error) {
      if (!over.aborted) throw error;
    } finally {
      end();
    }
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? path : `${path}?${given.join('&')}`;
}

/** The only unknown paths are those of a node that is older than this command. */
function explainOldNode(error: unknown): unknown {
  if (!(error instanceof RefusedError) || !error.message.includes('nothing at this path')) {
    return error;
  }
  return new Error('the node runs an older version without this command: restart it with this one');
}
