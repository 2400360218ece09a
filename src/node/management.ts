// The two places where people and programs manage this node: -http on TCP, and the control socket, both
// with the same API. A default address that can't be had costs a line in the log and not the node; one
// that the configuration names has to be had.

import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { AuditLog } from '../http/audit-log.ts';
import { ClientTimeline } from '../http/client-timeline.ts';
import { ConnectionLimit } from '../http/connection-limit.ts';
import { ControlSocketError, openControlSocket } from '../http/control-socket.ts';
import type { EventLog } from '../http/event-log.ts';
import { controlGate, type Gate, TcpGate } from '../http/gate.ts';
import { HttpServer } from '../http/http-server.ts';
import type { NodeApi } from '../http/node-api.ts';
import type { StreamSink } from '../http/route.ts';
import { routeTable } from '../http/route-table.ts';
import { Router } from '../http/router.ts';
import { TokenFileError, TokenStore } from '../http/token-store.ts';
import type { LabelledValue } from '../metrics/metric.ts';
import type { ValuesOf } from '../metrics/metric-list.ts';
import { loadTls, TlsFileError, type TlsMaterial } from '../net/clients/tls-files.ts';
import { controlHost } from '../net/control-host.ts';
import { ListenError } from '../net/listen-error.ts';
import { controlFolder, controlPath } from '../shared/control-path.ts';
import type { Endpoint } from '../shared/endpoint.ts';
import type { Logger } from '../shared/logger.ts';
import type { NodeQueries } from './cluster/node-queries.ts';

export const DEFAULT_PORT_TAKEN = 'no HTTP: the default port is not free';
const TOKEN_FILE = 'http-tokens.json';
/** Tokens say who calls, not certificates. */
const HTTP_TLS = {
  ca: undefined,
  crl: undefined,
  clientCertificate: 'no',
  identityAsUsername: false,
  minVersion: 'TLSv1.2',
} as const;

export { ControlSocketError, TokenFileError };

export interface Management {
  /** Undefined where it is off, or the default port is taken. */
  readonly http: Endpoint | undefined;
  readonly controlPath: string | undefined;
  metrics(): ValuesOf<'http'>;
  /** Reads the certificate again. @returns what is wrong with it: then the last good one stays */
  reload(): readonly string[];
  close(): Promise<void>;
}

/** Rejects with ListenError, ControlSocketError or TlsFileError; then neither is open. */
export async function openManagement(
  config: Config,
  node: NodeApi,
  queries: NodeQueries | undefined,
  events: EventLog,
): Promise<Management> {
  const log = events;
  const counters = { requests: 0, failed: 0 };
  const streams = { open: 0, dropped: 0 };
  const tokens = await TokenStore.open(tokenPath(config));
  const timeline = new ClientTimeline();
  events.listen((event) => timeline.take(event));
  const router = new Router(routeTable, node, {
    routes: routeTable,
    tokens,
    events,
    timeline,
    streams,
    audit: new AuditLog(log),
  });
  const tcpGate = new TcpGate(tokens, log, () => node.isOpen);
  if (queries !== undefined) serveNodes(queries, router);
  const limits: ConnectionLimit[] = [];
  const parts = (gate: Gate) => {
    const hasPages = gate === tcpGate;
    const limit = new ConnectionLimit(log);
    limits.push(limit);
    return { router, node, gate, streams, counters, hasPages, limit };
  };
  const certificate = httpTls(config);
  const http = await openHttp(config, { ...parts(tcpGate), tls: certificate?.options }, log);
  let control: { server: HttpServer; path: string } | undefined;
  try {
    control = await openControl(config, parts(controlGate), log);
  } catch (error) {
    await http?.close();
    throw error;
  }
  return {
    http:
      http && config.http !== 'off' ? { address: config.http.host, port: http.port } : undefined,
    controlPath: control?.path,
    metrics: () => ({
      ...counters,
      refusedConnections: limits.reduce((sum, { refused }) => sum + refused, 0),
      refused: refusalsOf(tcpGate),
      streams: streams.open,
      droppedEvents: streams.dropped,
    }),
    reload: () => {
      try {
        const renewed = httpTls(config);
        if (renewed !== undefined) http?.renew(renewed.options);
        for (const warning of renewed?.warnings ?? []) log.warn(`-http-cert: ${warning}`);
        return [];
      } catch (error) {
        if (!(error instanceof TlsFileError)) throw error;
        const problem = error.message;
        log.error('file not reloaded: its last valid version stays in force', { problem });
        return [problem];
      }
    },
    close: async () => {
      await Promise.all([http?.close(), control?.server.close()]);
    },
  };
}

function refusalsOf({ refusals }: TcpGate): LabelledValue<'reason'>[] {
  return Object.entries(refusals).map(([reason, value]) => ({ labels: { reason }, value }));
}

/** Requests and streams of other nodes. */
function serveNodes(queries: NodeQueries, router: Router): void {
  queries.handler = (request, from = '') => router.answer(request, from);
  for (const { path, stream } of routeTable) {
    if (stream === undefined) continue;
    queries.addStream(path, (request, sink) => {
      try {
        const start = router.startStream(request);
        const part: StreamSink = {
          send: (event, data) =>
            sink.item({ event, data: typeof data === 'function' ? data() : data }),
          end: () => sink.end(),
        };
        return start(part);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { status: 400, body: { detail: reason } };
      }
    });
  }
}

/** @throws TlsFileError */
export function httpTls({ httpCert, httpKey = httpCert, http }: Config): TlsMaterial | undefined {
  if (httpCert === undefined || httpKey === undefined || http === 'off') return undefined;
  try {
    return loadTls({ ...HTTP_TLS, cert: [httpCert], key: [httpKey] });
  } catch (error) {
    // The files of a listener have the flags -cert and -key.
    if (!(error instanceof TlsFileError)) throw error;
    throw new TlsFileError(error.message.replace(/^-(?=(cert|key)=)/, '-http-'));
  }
}

/** Without a folder, tokens end with the process. */
export function tokenPath({ httpTokenFile, dataFolder }: Config): string | undefined {
  return httpTokenFile ?? (dataFolder === undefined ? undefined : join(dataFolder, TOKEN_FILE));
}

type ServerParts = Parameters<typeof HttpServer.open>[0];

async function openHttp(
  { http }: Config,
  parts: ServerParts,
  log: Logger,
): Promise<HttpServer | undefined> {
  if (http === 'off') return undefined;
  const { host, port, isDefault } = http;
  try {
    return await HttpServer.open(parts, { host, port });
  } catch (error) {
    const fault = new ListenError({ bind: host, port, place: '-http' }, error as Error);
    if (!isDefault) throw fault;
    log.warn(DEFAULT_PORT_TAKEN, { problem: fault.message });
    return undefined;
  }
}

async function openControl(
  { control, nodeName }: Config,
  parts: ServerParts,
  log: Logger,
): Promise<{ server: HttpServer; path: string } | undefined> {
  if (control === 'off') return undefined;
  const path = control === 'auto' ? controlPath(controlFolder(controlHost()), nodeName) : control;
  try {
    return { server: await openControlSocket(parts, path), path };
  } catch (error) {
    if (control !== 'auto' || !(error instanceof ControlSocketError)) throw error;
    log.warn('no control socket: commands do not reach this node', { problem: error.message });
    return undefined;
  }
}
