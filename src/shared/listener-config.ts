// What a listener is configured to do. The configuration makes it, the network opens it, access
// control and the banner read it: so it lies below all of them. A change of it, at a SIGHUP, is
// applied to the listener with the same `id`.

export type ListenerProtocol = 'tcp' | 'tls' | 'ws' | 'wss';

export interface ListenerConfig {
  /** Identifies the listener when the configuration is read again: its address and port. */
  readonly id: string;
  /** What asked for it, for messages: the option `-ws`, or the line `/etc/shoal.toml:3`. */
  readonly place: string;
  readonly protocol: ListenerProtocol;
  /** IP literal; undefined = every address of the machine, IPv4 and IPv6. */
  readonly bind: string | undefined;
  /** 0 = any free port. */
  readonly port: number;
  /** Sockets open at once, counted from the moment they are accepted. */
  readonly connectionsMax: number;
  /** Largest MQTT packet that its clients may send. */
  readonly packetBytesMax: number;
  /** Highest QoS that its clients may publish with. */
  readonly maximumQos: 0 | 1 | 2;
  readonly rates: ListenerRateConfig;
  /** New connections that are served each second; Infinity: any number. */
  readonly connectRate: number;
  /** Time for everything before MQTT (PROXY header, TLS, HTTP) together. */
  readonly connectTimeoutSeconds: number;
  /** Whether clients without a user name are let in; undefined = as the node decides. */
  readonly anonymous: boolean | undefined;
  /** Its own password file, or the node's. */
  readonly passwordFile: string | undefined;
  /** Its own ACL, or the node's. */
  readonly aclFile: string | undefined;
  /** Its own keys of tokens, or the node's. */
  readonly tokenKeyFile: string | undefined;
  /** Its own server to ask about clients, or the node's. */
  readonly authUrl: string | undefined;
  /** A load balancer sends the client's address ahead of the connection. */
  readonly proxyProtocol: boolean;
  /** Paths of WebSocket requests (`/mqtt`), or `*` among them for any. */
  readonly paths: readonly string[];
  /** Pages whose scripts may connect by WebSocket (`https://example.org`); undefined or `*` = any. */
  readonly origins: readonly string[] | undefined;
  /** Undefined where the protocol has no TLS. */
  readonly tls: ListenerTls | undefined;
}

/** Rates per second of what clients send; Infinity: none. */
export interface ListenerRateConfig {
  readonly clientMessages: number;
  readonly clientBytes: number;
  /** Of all clients of the listener together. */
  readonly listenerMessages: number;
  readonly listenerBytes: number;
  /** After silence a client may send at once what the rate allows in this time. */
  readonly burstSeconds: number;
}

export interface ListenerTls {
  /** PEM files, each a certificate followed by its chain. */
  readonly cert: readonly string[];
  /** The private key of each certificate, in the same order. */
  readonly key: readonly string[];
  /** Authorities whose client certificates are accepted. */
  readonly ca: string | undefined;
  /** Client certificates that these authorities have revoked. */
  readonly crl: string | undefined;
  readonly clientCertificate: 'no' | 'optional' | 'required';
  /** The Common Name of a client's certificate is its user name. */
  readonly identityAsUsername: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The part that decides who may connect. */
export interface ListenerAccess
  extends Pick<ListenerConfig, 'id' | 'place' | 'passwordFile' | 'aclFile' | 'anonymous'>,
    Partial<Pick<ListenerConfig, 'protocol' | 'origins' | 'tokenKeyFile' | 'authUrl'>> {
  readonly tls: Pick<ListenerTls, 'clientCertificate' | 'identityAsUsername'> | undefined;
}
