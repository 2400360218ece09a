// The options of createBroker() and createNode() as types, made from the option table by
// test/unit/config/api-options.test.ts: each is the flag of the command line in camelCase. Not edited by
// hand. Part of the public API, as api.ts.

/** What a broker without sockets can be set to. */
export interface BrokerSettings {
  /**
   * Highest QoS that clients may publish with. Expects 0, 1 or 2. Default: 2.
   */
  maxQos?: 0 | 1 | 2;
  /**
   * Accept retained messages. Default: true.
   */
  retainAvailable?: boolean;
  /**
   * Accept subscriptions with + and #. Default: true.
   */
  wildcardAvailable?: boolean;
  /**
   * Accept shared subscriptions ($share/group/filter). Default: true.
   */
  sharedAvailable?: boolean;
  /**
   * Accept subscription identifiers. Default: true.
   */
  subscriptionIdentifiersAvailable?: boolean;
  /**
   * Whether a client with several matching subscriptions gets one copy of a message or one for
   * each. Expects one of once, each. Default: once.
   */
  overlapping?: 'once' | 'each';
  /**
   * Deliver with the subscription's QoS even if the message was published with a lower one.
   * Default: false.
   */
  upgradeOutgoingQos?: boolean;
  /**
   * Assign a client identifier to clients that send none. Default: true.
   */
  allowZeroLengthClientid?: boolean;
  /**
   * Take the user name as client identifier, whatever the client sends; clients without one are
   * refused. Default: false.
   */
  useUsernameAsClientid?: boolean;
  /**
   * Accept only client identifiers that begin with one of these, separated by commas. Expects a
   * prefix; several separated by commas. Default: any.
   */
  clientidPrefixes?: string | readonly string[];
  /**
   * User: the session of a client identifier belongs to its user name; no other user can take it
   * over or end it. Expects one of any, user. Default: any.
   */
  clientIdOwner?: 'any' | 'user';
  /**
   * Wrong passwords from one address (IPv6: /64) in a minute after which it is banned; users that
   * logged in from there before are not. Expects a whole number from 0 to 10000; 0 for no limit.
   * Default: 0 (no bans).
   */
  banFailures?: number;
  /**
   * Connections of one client identifier from one address in a minute; one more bans this client
   * there. Expects a whole number from 0 to 10000; 0 for no limit. Default: 0 (no bans).
   */
  banConnects?: number;
  /**
   * How long such a ban lasts. Expects a time from 1 to 604800 seconds, as 90, 15m, 12h or 7d.
   * Default: 300s.
   */
  banTime?: number | string;
  /**
   * Serve a retained message only while its publisher may still publish to the topic. Default:
   * true.
   */
  checkRetainSource?: boolean;
  /**
   * Longest silence of a client: bounds its keep alive, which MQTT 5 clients learn in CONNACK.
   * Expects a time from 0 to 65535 seconds, as 90, 15m, 12h or 7d. Default: 0 (any).
   */
  maxKeepalive?: number | string;
  /**
   * Time between updates of the $SYS topics; 0 turns them off. Expects a time from 0 to 86400
   * seconds, as 90, 15m, 12h or 7d. Default: 10s.
   */
  sysInterval?: number | string;
  /**
   * Time in which a new connection must send its CONNECT. Expects a time from 1 to 3600 seconds, as
   * 90, 15m, 12h or 7d. Default: 10s.
   */
  connectTimeout?: number | string;
  /**
   * Client connections open at once. Expects a whole number from 0 to 1000000; 0 for no limit.
   * Default: 50000.
   */
  maxConnections?: number;
  /**
   * Sessions to keep, of connected and absent clients together. Expects a whole number from 0 to
   * 10000000; 0 for no limit. Default: 200000.
   */
  maxSessions?: number;
  /**
   * Largest packet accepted from a client. Expects a size from 128 to 268435460, as 65536, 64k or
   * 1M. Default: 1M.
   */
  maxPacketSize?: number | string;
  /**
   * Largest payload of a message; a larger message is acknowledged and dropped. Expects a size from
   * 0 to 268435460, as 65536, 64k or 1M; 0 for no limit. Default: 0.
   */
  messageSizeLimit?: number | string;
  /**
   * QoS 1 and 2 messages that a client may send before the broker acknowledges one. Expects a whole
   * number from 1 to 65535. Default: 100.
   */
  receiveMaximum?: number;
  /**
   * QoS 1 and 2 messages that the broker sends before the client acknowledges one. Expects a whole
   * number from 1 to 65535. Default: 100.
   */
  maxInflightMessages?: number;
  /**
   * Topic aliases that a client may define. Expects a whole number from 0 to 65535. Default: 10.
   */
  maxTopicAlias?: number;
  /**
   * How long to keep the session of an absent client at most. Expects a time from 0 to 4294967294
   * seconds, as 90, 15m, 12h or 7d; 0 for no limit. Default: 0 (no limit).
   */
  maxSessionExpiry?: number | string;
  /**
   * Messages that may wait for one client. Expects a whole number from 0 to 10000000; 0 for no
   * limit. Default: 1000.
   */
  maxQueuedMessages?: number;
  /**
   * Bytes of the messages that may wait for one client. Expects a size from 0 to 1024M, as 65536,
   * 64k or 1M; 0 for no limit. Default: 16M.
   */
  maxQueuedBytes?: number | string;
  /**
   * Which message to drop when a client's queue is full. Expects one of oldest, newest. Default:
   * newest.
   */
  queueDrop?: 'oldest' | 'newest';
  /**
   * Memory for the messages that wait for all clients together, and those in flight. Expects a size
   * from 0 to 65536M, as 65536, 64k or 1M; 0 for no limit. Default: 256M.
   */
  queueMemory?: number | string;
  /**
   * Memory for everything that clients make the node keep: sessions, subscriptions, messages.
   * Expects a size from 0 to 1048576M, as 65536, 64k or 1M; 0 for no limit. Default: half of what
   * the program may use: of its heap, or of the memory if that is less.
   */
  memoryLimit?: number | string;
  /**
   * Most levels of a topic or topic filter. Expects a whole number from 1 to 65535. Default: 128.
   */
  topicLevels?: number;
  /**
   * Most bytes of a topic or topic filter. Expects a whole number from 1 to 65535. Default: 65535.
   */
  topicLength?: number;
  /**
   * Most subscriptions of one client. Expects a whole number from 0 to 1000000; 0 for no limit.
   * Default: 10000.
   */
  maxSubscriptions?: number;
  /**
   * Most retained messages. Expects a whole number from 0 to 100000000; 0 for no limit. Default:
   * 1000000.
   */
  retainedMessages?: number;
  /**
   * Memory for all retained messages together. Expects a size from 0 to 65536M, as 65536, 64k or
   * 1M; 0 for no limit. Default: 256M.
   */
  retainedBytes?: number | string;
  /**
   * Folder for sessions, queued and retained messages, which then survive a restart or a power cut.
   * Expects a folder. Default: none: everything stays in memory.
   */
  data?: string;
  /**
   * Least important level to write. Expects one of debug, info, warn, error. Default: info.
   */
  logLevel?: 'debug' | 'info' | 'warn' | 'error';
}

/** What a node can be set to: all options of the command line. */
export interface NodeSettings extends BrokerSettings {
  /**
   * Node name, unique in the cluster. Expects a name of 1 to 64 bytes without spaces or control
   * characters. Default: the host name.
   */
  nid?: string;
  /**
   * TOML file; its keys are these options. Expects a file. Default: none.
   */
  config?: string;
  /**
   * Take over certificates, keys, revocation lists, users, topics and tokens when their files
   * change, without SIGHUP. Default: true.
   */
  watchFiles?: boolean;
  /**
   * Port for MQTT over TCP. Expects a port number from 0 to 65535, or off. Default: 1883; off if
   * listeners is given.
   */
  port?: number | 'off';
  /**
   * Port for MQTT over TLS, by custom 8883; needs cert and key. Expects a port number from 0 to
   * 65535, or off. Default: off.
   */
  tls?: number | 'off';
  /**
   * Port for MQTT over WebSocket, by custom 8083 or 9001. Expects a port number from 0 to 65535, or
   * off. Default: off.
   */
  ws?: number | 'off';
  /**
   * Port for MQTT over WebSocket and TLS, by custom 8084; needs cert and key. Expects a port number
   * from 0 to 65535, or off. Default: off.
   */
  wss?: number | 'off';
  /**
   * Address to listen on, for MQTT and for the cluster. Expects an IPv4 or IPv6 address. Default:
   * all.
   */
  bind?: string;
  /**
   * Announce the listeners on the local network by mDNS, and lead NAME.local to a live node; off
   * for neither. Expects a host name of 1 to 40 lower-case letters, digits and hyphens without
   * .local, or off. Default: shoal.
   */
  mdns?: string;
  /**
   * Certificate with its chain, PEM; of several, the server name that the client asks for (SNI)
   * selects one. Expects a file; several separated by commas. Default: none.
   */
  cert?: string | readonly string[];
  /**
   * Private key of the certificate, PEM; several in the order of cert. Expects a file; several
   * separated by commas. Default: none.
   */
  key?: string | readonly string[];
  /**
   * Authorities whose client certificates are accepted, PEM. Expects a file. Default: none.
   */
  ca?: string;
  /**
   * Revoked client certificates: the revocation lists of the authorities in ca, PEM. Expects a
   * file. Default: none.
   */
  crl?: string;
  /**
   * Ask TLS clients for a certificate; one that is sent must be valid. Expects one of no, optional,
   * required, false, true, yes. Default: no.
   */
  requireCertificate?: 'no' | 'optional' | 'required';
  /**
   * Take the Common Name of a client's certificate as its user name. Default: false.
   */
  useIdentityAsUsername?: boolean;
  /**
   * Lowest TLS version to accept. Expects one of 1.2, 1.3, tlsv1.2, tlsv1.3. Default: 1.2.
   */
  tlsVersion?: '1.2' | '1.3';
  /**
   * Expect each client's address from a load balancer (PROXY protocol 1 or 2), and refuse
   * connections without it. Default: false.
   */
  proxyProtocol?: boolean;
  /**
   * Paths that WebSocket clients may ask for, with or without a slash at the end; * for any.
   * Expects a path as /mqtt, or * for any; several separated by commas. Default: /mqtt,/.
   */
  wsPath?: string | readonly string[];
  /**
   * Web pages whose scripts may connect by WebSocket, as https://example.org; * for any. Expects an
   * origin as https://example.org, in small letters and without a path, or *; several separated by
   * commas. Default: any.
   */
  wsOrigin?: string | readonly string[];
  /**
   * Cluster token, the same on every node; of new,old the first signs and both are accepted.
   * Expects one or more tokens separated by commas, none of them empty. Default: none.
   */
  csk?: string | readonly string[];
  /**
   * File with the cluster token, or with several, one per line. Expects a file. Default: none.
   */
  cskFile?: string;
  /**
   * Other nodes, of which one reachable node is enough; their port is 7946 unless given. Expects
   * host:port, several separated by commas (IPv6 as [fd00::1]:7946, not a link-local address,
   * fe80::). Default: none.
   */
  mbs?: string | readonly string[];
  /**
   * Find the other nodes on the same network by multicast and broadcast; auto: with csk, and with
   * mbs once a node is missing. Expects one of auto, on, off. Default: auto.
   */
  beacon?: 'auto' | 'on' | 'off';
  /**
   * UDP port of the gossip: which nodes are there. Expects a port number from 0 to 65535. Default:
   * 7946.
   */
  crp?: number;
  /**
   * UDP port of the messages from node to node. Expects a port number from 0 to 65535. Default:
   * 7947.
   */
  csp?: number;
  /**
   * Address and UDP ports that other nodes use for this one, behind NAT or in a container. Expects
   * an IPv4 or IPv6 address, with :GOSSIP or :GOSSIP,SYNC if the ports outside differ. Default:
   * what peers see.
   */
  advertise?: string;
  /**
   * Addresses for clients, each of which exactly one online node of those that have this option
   * holds; needs Linux and CAP_NET_ADMIN. Expects an IPv4 or IPv6 address with the length of its
   * network, as 192.168.1.10/24 or fd00::10/64; several separated by commas. Default: none.
   */
  address?: string | readonly string[];
  /**
   * Program that takes and releases these addresses, as PROGRAM take 192.168.1.10/24. Expects a
   * file. Default: none: ip.
   */
  addressHook?: string;
  /**
   * Cluster name; keeps clusters on the same network apart. Expects a name of 1 to 64 bytes without
   * spaces or control characters. Default: shoal.
   */
  cluster?: string;
  /**
   * Encrypt messages between nodes (AES-256-GCM); the same on every node. Default: false.
   */
  encrypt?: boolean;
  /**
   * Topics that are forwarded to the other nodes. Expects MQTT topic filters separated by commas,
   * as sensors/#,alarm/+/state. Default: #.
   */
  topics?: string | readonly string[];
  /**
   * Keep retained messages alike on all nodes; the same on every node. Default: true.
   */
  retainedSync?: boolean;
  /**
   * Send a message to all other nodes, or only to those that may have a subscriber for it; interest
   * works between nodes that both have it. Expects one of all, interest. Default: all.
   */
  forward?: 'all' | 'interest';
  /**
   * How messages go to the other nodes: a datagram to each, or one for all on a network of this
   * machine, which pays from three nodes on; nodes that multicast does not reach get unicast.
   * Expects one of unicast, multicast. Default: unicast.
   */
  sync?: 'unicast' | 'multicast';
  /**
   * Forward messages of 4096 bytes and more as well, up to this size, over TLS on the TCP port with
   * the number of csp; the same on every node. Expects a size from 4k to 16M, as 65536, 64k or 1M,
   * or off. Default: off.
   */
  large?: number | string;
  /**
   * Let a client be connected to one node at a time, and publish the wills of a node that dies; the
   * same on every node. Default: true.
   */
  clientTakeover?: boolean;
  /**
   * Let sessions follow their clients: a client that resumes its session on another node finds
   * subscriptions and queued messages there, sent over TLS on the TCP port with the number of csp;
   * the same on every node. Default: false.
   */
  roaming?: boolean;
  /**
   * Who serves a shared subscription ($share/group/filter): each node by itself, or all nodes
   * together, each message once; the same on every node. Expects one of node, cluster. Default:
   * node.
   */
  shared?: 'node' | 'cluster';
  /**
   * How long a node may be away without bringing cleared retained messages back. Expects a time
   * from 60 to 31536000 seconds, as 90, 15m, 12h or 7d. Default: 86400s.
   */
  tombstoneTime?: number | string;
  /**
   * End with exit code 7 after this many checks in a row, one each 2 s, without another node
   * online, for a supervisor to start the node again; only if one was online before. Expects a
   * whole number from 0 to 1000000; 0 for no limit. Default: 0 (never).
   */
  exitWithoutPeers?: number;
  /**
   * Largest datagram of messages, in bytes; auto: what the interface on the path to each node sends
   * whole, and what arrives. Expects a whole number from 576 to 65000, or auto. Default: auto.
   */
  datagram?: string;
  /**
   * Datagrams of 1400 bytes, full of messages, that may wait for the network and the other nodes to
   * take them. Expects a whole number from 1 to 1000000. Default: 8192.
   */
  queueLength?: number;
  /**
   * Which datagram to drop when that queue is full (0 = discard-newest, 1 = discard-oldest).
   * Expects one of discard-newest, discard-oldest, 0, 1. Default: discard-newest.
   */
  queuePolicy?: 'discard-newest' | 'discard-oldest';
  /**
   * Preset of period and pingTimeout for the network between the nodes. Expects one of lan, wan,
   * local. Default: lan.
   */
  profile?: 'lan' | 'wan' | 'local';
  /**
   * Protocol period; a node is offline after three without an answer. Expects a time from 100ms to
   * 1m, as 1s or 300ms. Default: 1000ms (lan), 5000ms (wan), 300ms (local).
   */
  period?: number | string;
  /**
   * Time to wait for an answer before other nodes are asked to try; less than half of period.
   * Expects a time from 20ms to 20s, as 1s or 300ms. Default: 300ms (lan), 2000ms (wan), 100ms
   * (local).
   */
  pingTimeout?: number | string;
  /**
   * Users and their passwords, in mosquitto's format; shoal passwd makes one. Expects a file.
   * Default: none.
   */
  auth?: string;
  /**
   * Topics that each user may read and write, in mosquitto's format. Expects a file. Default: none.
   */
  acl?: string;
  /**
   * Accept clients that send no user name. Default: true while no authentication is configured.
   */
  anonymous?: boolean;
  /**
   * Accept JSON Web Tokens as passwords: a secret (HS256) or public keys in PEM (RS256, ES256).
   * Expects a file. Default: none.
   */
  authJwtKey?: string;
  /**
   * Issuer (iss) that a token must name. Expects a name. Default: any.
   */
  authJwtIssuer?: string;
  /**
   * Audience (aud) that a token must name. Expects a name. Default: any.
   */
  authJwtAudience?: string;
  /**
   * Refuse tokens that never expire (without exp). Default: false.
   */
  authJwtRequireExp?: boolean;
  /**
   * HTTP server to ask about clients that the password file does not know. Expects an http:// or
   * https:// URL without a user name. Default: none.
   */
  authHttp?: string;
  /**
   * Form of the requests to that server. Expects one of form, json. Default: form.
   */
  authHttpFormat?: 'form' | 'json';
  /**
   * How long an acceptance by that server holds for the same client and password; 0 asks each time.
   * Expects a time from 0 to 86400 seconds, as 90, 15m, 12h or 7d. Default: 60s.
   */
  authHttpCache?: number | string;
  /**
   * Logins that wait for their check take turns by address; IPv4 addresses with the same first bits
   * are one, as an IPv6 /64 always is. Expects a whole number from 8 to 32. Default: 32.
   */
  authIpv4Prefix?: number;
  /**
   * Messages a second that one client may publish; a faster client is read more slowly. Expects a
   * whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  clientMessageRate?: number;
  /**
   * Bytes a second that one client may send; a faster client is read more slowly. Expects a size
   * from 0 to 1024M, as 65536, 64k or 1M; 0 for no limit. Default: 0 (no limit).
   */
  clientByteRate?: number | string;
  /**
   * Messages a second that all clients of a listener together may publish; they take turns. Expects
   * a whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  messageRate?: number;
  /**
   * Bytes a second that all clients of a listener together may send; they take turns. Expects a
   * size from 0 to 1024M, as 65536, 64k or 1M; 0 for no limit. Default: 0 (no limit).
   */
  byteRate?: number | string;
  /**
   * New connections a second that a listener serves; further ones wait, and addresses take turns.
   * Expects a whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  connectRate?: number;
  /**
   * Burst after silence, in all of these rates: what the rate allows in this time comes at once.
   * Expects a time from 1 to 3600 seconds, as 90, 15m, 12h or 7d. Default: 1s.
   */
  rateBurst?: number | string;
  /**
   * Address of the HTTP API, the metrics and the dashboard; off for none. Expects an address with a
   * port, as 127.0.0.1:8080 or 0.0.0.0:8080, a port on loopback, or off. Default: 127.0.0.1:8080.
   */
  http?: string | number;
  /**
   * Certificate with its chain, PEM: http then speaks TLS only; a new one is taken over when the
   * file changes. Expects a file. Default: none.
   */
  httpCert?: string;
  /**
   * Private key of that certificate, PEM. Expects a file. Default: the file of httpCert.
   */
  httpKey?: string;
  /**
   * File that keeps hashes of the tokens of the HTTP API. Expects a file. Default: http-tokens.json
   * in the folder of data; without that, in memory.
   */
  httpTokenFile?: string;
  /**
   * Control socket of the commands, for the user of the node only; auto names it after the node.
   * Expects auto, off or the path of a Unix socket. Default: auto.
   */
  control?: string;
  /** Listeners besides those of `port`, `tls`, `ws` and `wss`. */
  listeners?: readonly ListenerSettings[];
  /** Bridges to other brokers. */
  bridges?: readonly BridgeSettings[];
}

/** A listener; what is missing is as the node has it. */
export interface ListenerSettings {
  /**
   * Protocol of the listener: MQTT over TCP, TLS, WebSocket, or WebSocket over TLS. Expects one of
   * tcp, tls, ws, wss. Default: tcp.
   */
  protocol?: 'tcp' | 'tls' | 'ws' | 'wss';
  /**
   * TCP port. Expects a port number from 0 to 65535. Default: none: it is required.
   */
  port?: number;
  /**
   * Accept clients that send no user name. Default: as the node decides.
   */
  anonymous?: boolean;
  /**
   * Users and their passwords, in mosquitto's format; shoal passwd makes one. Expects a file.
   * Default: none.
   */
  auth?: string;
  /**
   * Topics that each user may read and write, in mosquitto's format. Expects a file. Default: none.
   */
  acl?: string;
  /**
   * Accept JSON Web Tokens as passwords: a secret (HS256) or public keys in PEM (RS256, ES256).
   * Expects a file. Default: none.
   */
  authJwtKey?: string;
  /**
   * HTTP server to ask about clients that the password file does not know. Expects an http:// or
   * https:// URL without a user name. Default: none.
   */
  authHttp?: string;
  /**
   * Client connections open at once. Expects a whole number from 0 to 1000000; 0 for no limit.
   * Default: 50000.
   */
  maxConnections?: number;
  /**
   * Largest packet accepted from a client. Expects a size from 128 to 268435460, as 65536, 64k or
   * 1M. Default: 1M.
   */
  maxPacketSize?: number | string;
  /**
   * Highest QoS that clients may publish with. Expects 0, 1 or 2. Default: 2.
   */
  maxQos?: 0 | 1 | 2;
  /**
   * Messages a second that one client may publish; a faster client is read more slowly. Expects a
   * whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  clientMessageRate?: number;
  /**
   * Bytes a second that one client may send; a faster client is read more slowly. Expects a size
   * from 0 to 1024M, as 65536, 64k or 1M; 0 for no limit. Default: 0 (no limit).
   */
  clientByteRate?: number | string;
  /**
   * Messages a second that all clients of a listener together may publish; they take turns. Expects
   * a whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  messageRate?: number;
  /**
   * Bytes a second that all clients of a listener together may send; they take turns. Expects a
   * size from 0 to 1024M, as 65536, 64k or 1M; 0 for no limit. Default: 0 (no limit).
   */
  byteRate?: number | string;
  /**
   * New connections a second that a listener serves; further ones wait, and addresses take turns.
   * Expects a whole number from 0 to 1000000; 0 for no limit. Default: 0 (no limit).
   */
  connectRate?: number;
  /**
   * Burst after silence, in all of these rates: what the rate allows in this time comes at once.
   * Expects a time from 1 to 3600 seconds, as 90, 15m, 12h or 7d. Default: 1s.
   */
  rateBurst?: number | string;
  /**
   * Address to listen on, for MQTT and for the cluster. Expects an IPv4 or IPv6 address. Default:
   * all.
   */
  bind?: string;
  /**
   * Expect each client's address from a load balancer (PROXY protocol 1 or 2), and refuse
   * connections without it. Default: false.
   */
  proxyProtocol?: boolean;
  /**
   * Certificate with its chain, PEM; of several, the server name that the client asks for (SNI)
   * selects one. Expects a file; several separated by commas. Default: none.
   */
  cert?: string | readonly string[];
  /**
   * Private key of the certificate, PEM; several in the order of cert. Expects a file; several
   * separated by commas. Default: none.
   */
  key?: string | readonly string[];
  /**
   * Authorities whose client certificates are accepted, PEM. Expects a file. Default: none.
   */
  ca?: string;
  /**
   * Revoked client certificates: the revocation lists of the authorities in ca, PEM. Expects a
   * file. Default: none.
   */
  crl?: string;
  /**
   * Ask TLS clients for a certificate; one that is sent must be valid. Expects one of no, optional,
   * required, false, true, yes. Default: no.
   */
  requireCertificate?: 'no' | 'optional' | 'required';
  /**
   * Take the Common Name of a client's certificate as its user name. Default: false.
   */
  useIdentityAsUsername?: boolean;
  /**
   * Lowest TLS version to accept. Expects one of 1.2, 1.3, tlsv1.2, tlsv1.3. Default: 1.2.
   */
  tlsVersion?: '1.2' | '1.3';
  /**
   * Paths that WebSocket clients may ask for, with or without a slash at the end; * for any.
   * Expects a path as /mqtt, or * for any; several separated by commas. Default: /mqtt,/.
   */
  wsPath?: string | readonly string[];
  /**
   * Web pages whose scripts may connect by WebSocket, as https://example.org; * for any. Expects an
   * origin as https://example.org, in small letters and without a path, or *; several separated by
   * commas. Default: any.
   */
  wsOrigin?: string | readonly string[];
}

/** A bridge to another broker. */
export interface BridgeSettings {
  /**
   * Name of the bridge on this node, in its log lines, metrics and topics. Expects a name of 1 to
   * 64 bytes without spaces or control characters. Default: none: it is required.
   */
  name?: string;
  /**
   * The far side; of several addresses the first that answers. Expects mqtt://host, mqtts://host
   * (TLS), ws://host/path or wss://host/path, with a port where it is not the usual one; several
   * separated by commas. Default: none: it is required.
   */
  address?: string | readonly string[];
  /**
   * What crosses, in the form of topic in mosquitto.conf: pattern, direction, QoS, prefix here,
   * prefix there. Expects a topic filter, then in, out or both, a QoS, a prefix here and one at the
   * far side ("" for none), as "sensors/# out 1" or "# in 1 hq/ ''"; several separated by commas.
   * Default: none: it is required.
   */
  topics?: string | readonly string[];
  /**
   * Version of MQTT that the far side speaks. Expects one of 5, 3.1.1, mqttv50, mqttv311. Default:
   * 5.
   */
  protocol?: '5' | '3.1.1';
  /**
   * With MQTT 3.1.1: announce a bridge by mosquitto's bit, so that the far side sends none of its
   * own messages back. Default: true.
   */
  tryPrivate?: boolean;
  /**
   * Client identifier at the far side, unique there. Expects a name. Default: NODE.NAME; required
   * in a cluster unless runOn = "each".
   */
  clientId?: string;
  /**
   * User name at the far side. Expects a name. Default: none.
   */
  username?: string;
  /**
   * Password at the far side. Expects a password. Default: none.
   */
  password?: string;
  /**
   * Authorities of the far side's certificate, PEM. Expects a file. Default: the authorities that
   * Node knows.
   */
  ca?: string;
  /**
   * Client certificate with its chain, PEM. Expects a file. Default: none.
   */
  cert?: string;
  /**
   * Private key of the client certificate, PEM. Expects a file. Default: none.
   */
  key?: string;
  /**
   * Accept any certificate of the far side; for tests only. Default: false.
   */
  insecure?: boolean;
  /**
   * Protocol to ask for in the TLS handshake, as x-amzn-mqtt-ca on port 443 of AWS. Expects a
   * protocol. Default: none.
   */
  alpn?: string;
  /**
   * Begin a new session at the far side with each connection: what it has for this node meanwhile
   * is lost. Default: false.
   */
  cleanStart?: boolean;
  /**
   * How long the far side keeps the session without a connection (MQTT 5). Expects a time from 0 to
   * 4294967294 seconds, as 90, 15m, 12h or 7d. Default: 604800s.
   */
  sessionExpiry?: number | string;
  /**
   * A connection without an answer for this long is given up. Expects a time from 0 to 65535
   * seconds, as 90, 15m, 12h or 7d. Default: 60s.
   */
  keepalive?: number | string;
  /**
   * QoS 1 and 2 messages on their way to the far side before it acknowledges one, and the same from
   * it. Expects a whole number from 1 to 65535. Default: 100.
   */
  maxInflightMessages?: number;
  /**
   * Largest packet taken from the far side. Expects a size from 128 to 268435455, as 65536, 64k or
   * 1M. Default: 1M.
   */
  maxPacketSize?: number | string;
  /**
   * Messages to the far side a second, so that the queue of an outage does not flood it. Expects a
   * whole number from 0 to 10000000; 0 for no limit. Default: 0.
   */
  maxRate?: number;
  /**
   * Messages published with a lower QoS cross with this one, so that they wait for the far side as
   * well. Expects 0, 1 or 2. Default: 0.
   */
  minQos?: 0 | 1 | 2;
  /**
   * Retained messages arrive at the far side as retained messages. Default: true.
   */
  retain?: boolean;
  /**
   * Messages that may wait for the far side. Expects a whole number from 0 to 10000000; 0 for no
   * limit. Default: 100000.
   */
  maxQueuedMessages?: number;
  /**
   * Bytes of the messages that may wait for the far side. Expects a size from 0 to 1024M, as 65536,
   * 64k or 1M; 0 for no limit. Default: 64M.
   */
  maxQueuedBytes?: number | string;
  /**
   * Drop messages that have waited for the far side longer than this. Expects a time from 0 to
   * 31536000 seconds, as 90, 15m, 12h or 7d; 0 for no limit. Default: 0.
   */
  maxAge?: number | string;
  /**
   * Which message to drop when the queue is full. Expects one of oldest, newest. Default: oldest.
   */
  queueDrop?: 'oldest' | 'newest';
  /**
   * First pause before a new connection; it doubles with each failure. Expects a time from 100ms to
   * 1h, as 1s or 300ms. Default: 1000ms.
   */
  reconnectMin?: number | string;
  /**
   * Longest pause before a new connection. Expects a time from 100ms to 1h, as 1s or 300ms.
   * Default: 60000ms.
   */
  reconnectMax?: number | string;
  /**
   * After a loss go on with the next address instead of the first. Default: false.
   */
  roundRobin?: boolean;
  /**
   * In a cluster: one node runs the bridge, and another one when it dies; or each node; or the node
   * of this name. Expects a name of 1 to 255 bytes without spaces or control characters. Default:
   * one.
   */
  runOn?: string;
  /**
   * Publish the state of the connection at the far side too, under
   * $SYS/broker/connection/NAME/state. Default: false.
   */
  notifications?: boolean;
}
