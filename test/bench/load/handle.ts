// A TCP connection for the load generator, directly on libuv's handle: one read buffer for all
// connections, no stream, no object for each write. A net.Socket costs more for each chunk than a broker
// does, so the benchmark would measure the generator. This uses internals of Node, which only a benchmark
// may do; without them it uses net.Socket and prints a warning.

import net from 'node:net';

const READ_BYTES = 262_144;

/** `bytes` are valid only during the call; their first `length` have arrived. */
export type OnBytes = (bytes: Buffer, length: number) => void;

export interface Target {
  readonly host: string;
  readonly port: number;
}

interface Request {
  oncomplete: (status: number) => void;
}

interface TcpHandle {
  onread: (unused: unknown) => void;
  onconnection: (status: number, client: TcpHandle) => void;
  bind(address: string, port: number): number;
  listen(backlog: number): number;
  connect(request: Request, address: string, port: number): number;
  useUserBuffer(buffer: Buffer): void;
  setNoDelay(on: boolean): void;
  readStart(): void;
  writeBuffer(request: Request, bytes: Buffer): number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

interface TcpWrap {
  TCP: new (kind: number) => TcpHandle;
  TCPConnectWrap: new () => Request;
  constants: { SOCKET: number; SERVER: number };
}

interface StreamWrap {
  WriteWrap: new () => Request;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
  streamBaseState: Int32Array;
}

interface Internals {
  tcp: TcpWrap;
  stream: StreamWrap;
}

function internals(): Internals | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): unknown };
    const tcp = binding.call(process, 'tcp_wrap') as TcpWrap;
    const stream = binding.call(process, 'stream_wrap') as StreamWrap;
    if ('useUserBuffer' in tcp.TCP.prototype && stream.WriteWrap !== undefined) {
      return { tcp, stream };
    }
  } catch {
    // The warning below reports it.
  }
  console.error('generator: this Node has no raw TCP handles; net.Socket costs the generator more');
  return undefined;
}

const node = internals();
const readBuffer = Buffer.alloc(READ_BYTES);

export interface Connection {
  onBytes: OnBytes;
  onEnd: () => void;
  /** @returns false if the system has not taken all bytes; the caller must leave `bytes` unchanged */
  write(bytes: Buffer): boolean;
  /** Closes after the written bytes are sent. */
  close(): void;
}

class HandleConnection implements Connection {
  onBytes: OnBytes = () => undefined;
  onEnd: () => void = () => undefined;
  readonly #handle: TcpHandle;
  readonly #stream: StreamWrap;
  /** Reused: a write that the system takes at once leaves the request unchanged. */
  #request: Request;
  #isClosed = false;

  constructor(handle: TcpHandle, stream: StreamWrap) {
    this.#handle = handle;
    this.#stream = stream;
    this.#request = newRequest(stream);
    handle.useUserBuffer(readBuffer);
    handle.onread = () => {
      const count = stream.streamBaseState[stream.kReadBytesOrError] ?? 0;
      if (count > 0) this.onBytes(readBuffer, count);
      else if (count < 0) this.#ended();
    };
    handle.setNoDelay(true);
    handle.readStart();
  }

  write(bytes: Buffer): boolean {
    if (this.#isClosed) return true;
    if (this.#handle.writeBuffer(this.#request, bytes) !== 0) {
      this.#ended();
      return true;
    }
    if (this.#stream.streamBaseState[this.#stream.kLastWriteWasAsync] === 0) return true;
    this.#request = newRequest(this.#stream);
    return false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.close();
    this.onEnd();
  }
}

function newRequest(stream: StreamWrap): Request {
  const request = new stream.WriteWrap();
  request.oncomplete = () => undefined;
  return request;
}

function socketConnection(socket: net.Socket): Connection {
  const connection: Connection = {
    onBytes: () => undefined,
    onEnd: () => undefined,
    write: (bytes) => socket.write(bytes) && false,
    close: () => socket.end(),
  };
  socket.on('data', (chunk: Buffer) => connection.onBytes(chunk, chunk.length));
  socket.on('error', () => undefined).on('close', () => connection.onEnd());
  return connection;
}

export function openConnection(target: Target): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (node === undefined) {
      const socket = net.connect({ ...target, noDelay: true });
      socket.once('error', reject).once('connect', () => resolve(socketConnection(socket)));
      return;
    }
    const { tcp, stream } = node;
    const handle = new tcp.TCP(tcp.constants.SOCKET);
    const fail = (code: number): void => {
      handle.close();
      reject(new Error(`cannot reach ${target.host}:${target.port}: error ${code}`));
    };
    const request = new tcp.TCPConnectWrap();
    request.oncomplete = (status) => {
      if (status === 0) resolve(new HandleConnection(handle, stream));
      else fail(status);
    };
    const started = handle.connect(request, target.host, target.port);
    if (started !== 0) fail(started);
  });
}

/** Listens on 127.0.0.1. */
export function listen(port: number, onConnection: (connection: Connection) => void): void {
  if (node === undefined) {
    const options = { noDelay: true };
    net
      .createServer(options, (socket) => onConnection(socketConnection(socket)))
      .listen(port, '127.0.0.1');
    return;
  }
  const { tcp, stream } = node;
  const server = new tcp.TCP(tcp.constants.SERVER);
  server.onconnection = (status, client) => {
    if (status === 0) onConnection(new HandleConnection(client, stream));
  };
  if (server.bind('127.0.0.1', port) !== 0 || server.listen(4096) !== 0) {
    throw new Error(`cannot listen on port ${port}`);
  }
}
