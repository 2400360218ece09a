// An MQTT 3.1.1 load generator that shares no code with load/generator.ts. It parses every packet, checks the
// sequence of each publisher at each subscriber, and so counts every lost, late and doubled message. One
// thread, one epoll. Prints one line of JSON with rates, loss, latency and processor times.
// load/compiled.ts compiles and runs it: `main publish=127.0.0.1:1883 publishers=10 bytes=64 window=100`.
// All options are in `option()`.
// Invariant: a publisher has at most `window` messages in flight, so that no broker has a reason to drop one.

#define _GNU_SOURCE  // ppoll
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "figures.h"
#include "transport.h"

#define OPENING_MAX 50
#define STAMP_BYTES 16  // publisher (4), sequence (4), time (8)
#define TOPIC_BYTES 10
#define GRACE_NS (SECOND / 20)

enum kind { LOAD, CHURN };
enum role { SUBSCRIBER, PUBLISHER, LANE };

static struct {
  struct sockaddr_in publish, subscribe;
  const char *pids;
  int kind, transport, publishers, subscribers, pairs, qos, bytes, window, resume, sleep;
  double rate, warmup, seconds, limit, patience;
} o = {.pids = "", .publishers = 1, .subscribers = 1, .bytes = 64, .window = 100,
       .warmup = 0.5, .seconds = 2, .limit = 1e18, .patience = 1};

struct connection {
  struct link link;
  enum role role;
  int index, isClosing;
  unsigned char *rest;  // the beginning of a packet
  size_t held;
};

struct publisher {
  struct connection *connection;
  unsigned char *packet;  // with the header of its WebSocket frame, not masked
  size_t size, start;     // `start`: where the MQTT packet begins
  uint64_t sent, credit;  // `credit`: deliveries that arrived, or that nothing waits for any more
  uint64_t progressAt;
  int isTouched;
};

struct sequence {
  uint32_t next;
  uint64_t seen;  // bit n: next - 1 - n has arrived
};

static struct connection *connections;
static struct publisher *publishers, **touched;
static struct sequence *sequences;
static unsigned char input[2 * READ_MAX], answers[READ_MAX], *batch;
static size_t answered;
static int pollFd, opened, isRunning, isMeasuring, touchedCount, copies;
static uint64_t now, lastArrival, received, doubled, late, measured, stalls, closed;

// Packets.

static void send_connect(struct connection *c) {
  static unsigned count;
  char id[32];
  int n = c->role == LANE ? snprintf(id, sizeof id, "bench-c%u", count++)
                          : snprintf(id, sizeof id, "%s-%c%d", o.sleep ? "probe" : "bench",
                                     "sp"[c->role], c->index);
  unsigned char packet[64] = {0x10, 12 + n, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, n};
  memcpy(packet + 14, id, n);
  link_send(&c->link, packet, 14 + n);
}

static void send_subscribe(struct connection *c) {
  char filter[32];
  int n = o.pairs ? snprintf(filter, sizeof filter, "bench/%04d", c->index)
                  : snprintf(filter, sizeof filter, "bench/+");
  unsigned char packet[64] = {0x82, 5 + n, 0, 1, 0, n};
  memcpy(packet + 6, filter, n);
  packet[6 + n] = o.qos;
  link_send(&c->link, packet, 7 + n);
}

static void prepare(struct publisher *p, struct connection *c) {
  size_t body = 2 + TOPIC_BYTES + (o.qos > 0 ? 2 : 0) + o.bytes;
  size_t whole = body + (body > 127 ? 3 : 2);
  unsigned char *packet = calloc(1, FRAME_HEADER_MAX + whole + 1), *at = packet;
  at += frame_header(at, whole);
  p->start = at - packet;
  *at++ = 0x30 | o.qos << 1;
  if (body > 127) *at++ = (body & 127) | 128;
  *at++ = body > 127 ? body >> 7 : body;
  *at++ = 0;
  *at++ = TOPIC_BYTES;
  sprintf((char *)at, "bench/%04d", c->index);
  memset(packet + p->start + whole - o.bytes, 'a', o.bytes);
  p->connection = c;
  p->packet = packet;
  p->size = p->start + whole;
}

/** Sends messages in one write, each in a frame of its own. @param at the time from which latency counts */
static void publish(struct publisher *p, uint64_t count, uint64_t at) {
  unsigned char *to = batch;
  for (uint64_t i = 0; i < count; i++, to += p->size) {
    memcpy(to, p->packet, p->size);
    unsigned char *stamp = to + p->size - o.bytes;
    uint32_t own = p->connection->index, sequence = p->sent++;
    if (o.qos > 0) {
      unsigned id = sequence % 65535 + 1;
      stamp[-2] = id >> 8;
      stamp[-1] = id;
    }
    memcpy(stamp, &own, 4);
    memcpy(stamp + 4, &sequence, 4);
    memcpy(stamp + 8, &at, 8);
    frame_mask(to + p->start, p->size - p->start);
  }
  link_send_framed(&p->connection->link, batch, to - batch);
}

/** Fills the window; a message is in flight until all its copies have arrived. */
static void refill(struct publisher *p) {
  uint64_t outstanding = (p->sent * copies - p->credit + copies - 1) / copies;
  if (outstanding < (uint64_t)o.window) publish(p, o.window - outstanding, now);
}

/** A window whose messages are lost would never open again. */
static void reopen_stalled(void) {
  for (int i = 0; i < o.publishers; i++) {
    struct publisher *p = &publishers[i];
    if (p->credit == p->sent * copies || now - p->progressAt < o.patience * SECOND) continue;
    stalls++;
    p->credit = p->sent * copies;
    p->progressAt = now;
    refill(p);
  }
}

// Input.

static void arrived(struct connection *c, const unsigned char *stamp) {
  uint32_t from, number;
  uint64_t at;
  memcpy(&from, stamp, 4);
  memcpy(&number, stamp + 4, 4);
  memcpy(&at, stamp + 8, 8);
  if (from >= (uint32_t)o.publishers) fail("a message that no publisher sent", "");
  struct sequence *s = &sequences[(size_t)c->index * o.publishers + from];
  struct publisher *p = &publishers[from];
  received++;
  if (isMeasuring) {
    measured++;
    add_latency(now > at ? now - at : 0);
  }
  if (number < s->next) {
    uint32_t age = s->next - 1 - number;
    uint64_t bit = age < 64 ? 1ull << age : 0;
    if (s->seen & bit) doubled++;
    else late++;
    s->seen |= bit;
    return;
  }
  uint32_t step = number - s->next + 1;
  s->seen = step < 64 ? s->seen << step | 1 : 1;
  s->next = number + 1;
  // The window does not wait for the messages between: they are late, or lost.
  p->credit += step;
  if (p->credit > p->sent * copies) p->credit = p->sent * copies;
  p->progressAt = now;
  if (p->isTouched) return;
  p->isTouched = 1;
  touched[touchedCount++] = p;
}

static void connection_opened(struct connection *c) {
  opened++;
  if (c->role != LANE) return;
  c->isClosing = 1;
  link_send(&c->link, (const unsigned char *)"\xe0\0", 2);
}

static void on_publish(struct connection *c, int qos, const unsigned char *body, size_t length) {
  size_t at = 2 + (body[0] << 8 | body[1]);
  if (qos == 1) {
    unsigned char puback[] = {0x40, 2, body[at], body[at + 1]};
    memcpy(answers + answered, puback, 4);
    answered += 4;
    at += 2;
  }
  if (length - at != (size_t)o.bytes) fail("a payload of another length", "");
  arrived(c, body + at);
}

static void on_packet(struct connection *c, int first, const unsigned char *body, size_t length) {
  switch (first >> 4) {
    case 2:
      if (body[1] != 0) fail("the broker refused a connection", "");
      if (c->role == SUBSCRIBER) send_subscribe(c);
      else connection_opened(c);
      break;
    case 3:
      on_publish(c, first >> 1 & 3, body, length);
      break;
    case 4:
      break;
    case 9:
      if (body[2] & 128) fail("the broker refused a subscription", "");
      connection_opened(c);
      break;
    default:
      fail("an unexpected packet", "");
  }
}

/** Handles whole packets of up to 16 KB. @returns how many bytes they have */
static size_t consume(struct connection *c, const unsigned char *bytes, size_t length) {
  size_t at = 0;
  while (length - at >= 2) {
    size_t body = at + 2, size = bytes[at + 1];
    if (size > 127) {
      if (length - at < 3) break;
      size = (size & 127) | bytes[at + 2] << 7;
      body++;
    }
    if (length - body < size) break;
    on_packet(c, bytes[at], bytes + body, size);
    at = body + size;
  }
  return at;
}

// Connections.

static void open_connection(struct connection *c) {
  c->held = c->isClosing = 0;
  link_open(&c->link, c->role == SUBSCRIBER ? &o.subscribe : &o.publish);
}

/** The broker has closed the connection. */
static void ended(struct connection *c) {
  if (!c->isClosing) fail("the broker closed a connection", "");
  link_close(&c->link, o.resume);
  closed++;
  if (isRunning) open_connection(c);
}

static void readable(struct connection *c) {
  do {
    memcpy(input, c->rest, c->held);
    ssize_t n = link_receive(&c->link, input + c->held, READ_MAX);
    if (n == 0) return ended(c);
    if (n < 0) return;
    lastArrival = now = clock_ns();
    size_t length = c->held + n, used = consume(c, input, length);
    c->held = length - used;
    if (c->held > 0) {
      c->rest = realloc(c->rest, c->held);
      memcpy(c->rest, input + used, c->held);
    }
    if (answered > 0) link_send(&c->link, answers, answered);
    answered = 0;
  } while (link_has_more(&c->link));
}

/** Handles one round of events, then lets each publisher that got through send again. */
static void turn(int timeoutMs) {
  struct epoll_event events[512];
  int count = epoll_wait(pollFd, events, 512, timeoutMs);
  now = clock_ns();
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (!link_is_ready(&c->link)) {
      if (link_advance(&c->link)) send_connect(c);
      continue;
    }
    if (events[i].events & EPOLLOUT) link_flush(&c->link);
    if (events[i].events & ~EPOLLOUT) readable(c);
  }
  for (int i = 0; i < touchedCount; i++) {
    touched[i]->isTouched = 0;
    if (isRunning && o.rate == 0) refill(touched[i]);
  }
  touchedCount = 0;
}

static void open_all(enum role role, int count, struct connection *list) {
  opened = 0;
  for (int begun = 0; opened < count; turn(10)) {
    for (; begun < count && begun - opened < OPENING_MAX; begun++) {
      list[begun] = (struct connection){.role = role, .index = begun};
      open_connection(&list[begun]);
    }
  }
}

// The measurement.

/** At a fixed rate, a message counts from the moment when it is due: a pause delays all that are due in it. */
static void send_what_is_due(uint64_t start) {
  static uint64_t due;
  for (; due < (now - start) / 1e9 * o.rate; due++)
    publish(&publishers[due % o.publishers], 1, start + due / o.rate * 1e9);
}

/** Leaves the core to others until a message is due or something has arrived. */
static void sleep_until_due(uint64_t start) {
  uint64_t sent = (now - start) / 1e9 * o.rate, next = start + (sent + 1) / o.rate * 1e9;
  uint64_t left = next > now ? next - now : 0;
  struct timespec wait = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
  ppoll(&(struct pollfd){.fd = pollFd, .events = POLLIN}, 1, &wait, NULL);
}

static void run_until(uint64_t end, uint64_t start) {
  static uint64_t checkedAt;
  while ((now = clock_ns()) < end && received + closed < o.limit) {
    if (o.kind == LOAD && o.rate > 0) send_what_is_due(start);
    if (o.kind == LOAD && o.rate == 0 && now - checkedAt > SECOND / 10) {
      reopen_stalled();
      checkedAt = now;
    }
    if (o.sleep) sleep_until_due(start);
    turn(o.rate > 0 ? 0 : 5);
  }
}

static uint64_t deliveries_sent(void) {
  uint64_t sum = 0;
  for (int i = 0; i < o.publishers; i++) sum += publishers[i].sent * copies;
  return sum;
}

/** Waits for what is in flight; what a later message has overtaken is late only if it comes soon. */
static void drain(void) {
  now = lastArrival = clock_ns();
  for (;;) {
    uint64_t credit = 0, sent = deliveries_sent();
    for (int i = 0; i < o.publishers; i++) credit += publishers[i].credit;
    if (received - doubled >= sent) return;
    if (now - lastArrival > (credit < sent ? o.patience * SECOND : GRACE_NS)) return;
    turn(10);
  }
}

static void start(void) {
  isRunning = 1;
  now = clock_ns();
  for (int i = 0; i < o.publishers; i++) {
    if (o.kind == CHURN) {
      connections[i] = (struct connection){.role = LANE, .index = i};
      open_connection(&connections[i]);
      continue;
    }
    publishers[i].progressAt = now;
    if (o.rate == 0) refill(&publishers[i]);
  }
}

static void print_loss(void) {
  uint64_t sent = deliveries_sent();
  long lost = sent - (received - doubled);
  printf(",\"sent\":%lu,\"lost\":%ld,\"late\":%lu,\"doubled\":%lu,\"stalls\":%lu", sent, lost, late, doubled,
         stalls);
  printf(",\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f", latency_at(0.5), latency_at(0.99),
         latency_at(0.999), latency_at(1 - 1e-9));
}

static void print_handshakes(void) {
  long handshakes, resumed;
  tls_counts(&handshakes, &resumed);
  if (handshakes > 0) printf(",\"resumed\":%.4f", (double)resumed / handshakes);
}

static void measure(void) {
  start();
  uint64_t began = now;
  run_until(began + o.warmup * SECOND, began);
  double own = own_cpu(), broker = cpu_of(o.pids);
  uint64_t from = clock_ns(), closedBefore = closed;
  isMeasuring = 1;
  run_until(from + o.seconds * SECOND, began);
  isMeasuring = isRunning = 0;
  own = own_cpu() - own;
  broker = cpu_of(o.pids) - broker;
  double seconds = (clock_ns() - from) / 1e9;
  double count = o.kind == CHURN ? closed - closedBefore : measured;
  if (o.kind == LOAD) drain();
  printf("{\"rate\":%.1f,\"generatorBusy\":%.4f,\"brokerBusy\":%.4f", count / seconds, own / seconds,
         broker / seconds);
  if (count > 0) printf(",\"generatorUs\":%.5f,\"brokerUs\":%.5f", own / count * 1e6, broker / count * 1e6);
  if (o.kind == LOAD) print_loss();
  else print_handshakes();
  printf("}\n");
}

// The command line.

static struct sockaddr_in address_of(char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char *colon = strchr(text, ':');
  if (colon == NULL) fail("not an address as 127.0.0.1:1883", text);
  address.sin_port = htons(atoi(colon + 1));
  *colon = 0;
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) fail("not an IPv4 address", text);
  return address;
}

static int transport_of(const char *name) {
  const char *names[] = {[TCP] = "tcp", [TLS] = "tls", [WEBSOCKET] = "websocket"};
  for (int i = TCP; i <= WEBSOCKET; i++)
    if (strcmp(name, names[i]) == 0) return i;
  fail("transport is tcp, tls or websocket", name);
  return TCP;
}

static void option(char *text) {
  char *value = strchr(text, '=');
  if (value == NULL) fail("not an option as qos=1", text);
  *value++ = 0;
  double n = atof(value);
#define IS(name) (strcmp(text, name) == 0)
  if (IS("publish")) o.publish = address_of(value);
  else if (IS("subscribe")) o.subscribe = address_of(value);  // by default where it publishes
  else if (IS("pids")) o.pids = value;                        // processes whose processor time counts
  else if (IS("churn")) o.kind = n ? CHURN : LOAD;  // `publishers` connections at a time, opened and closed
  else if (IS("transport")) o.transport = transport_of(value);
  else if (IS("publishers")) o.publishers = n;
  else if (IS("subscribers")) o.subscribers = n;
  else if (IS("pairs")) o.pairs = n;  // 1: each subscriber has one publisher; 0: it has all
  else if (IS("qos")) o.qos = n;
  else if (IS("bytes")) o.bytes = n;
  else if (IS("window")) o.window = n;
  else if (IS("rate")) o.rate = n;      // messages a second over all publishers, in place of the window
  else if (IS("sleep")) o.sleep = n;    // with rate: 1 sleeps until a message is due; for a probe beside other clients
  else if (IS("resume")) o.resume = n;  // with churn: 1 resumes TLS sessions
  else if (IS("warmup")) o.warmup = n;
  else if (IS("seconds")) o.seconds = n;
  else if (IS("limit")) o.limit = n;        // ends after this many deliveries or connections
  else if (IS("patience")) o.patience = n;  // seconds without an arrival, after which nothing is awaited
  else fail("an unknown option", text);
#undef IS
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) option(argv[i]);
  if (o.publish.sin_port == 0) fail("publish=HOST:PORT is missing", "");
  if (o.subscribe.sin_port == 0) o.subscribe = o.publish;
  if (o.bytes < STAMP_BYTES || o.bytes > 16000) fail("bytes is a number from 16 to 16000", "");
  if (o.qos < 0 || o.qos > 1) fail("qos is 0 or 1", "");
  copies = o.pairs ? 1 : o.subscribers;
  connections = calloc(o.publishers + o.subscribers, sizeof *connections);
  publishers = calloc(o.publishers, sizeof *publishers);
  touched = calloc(o.publishers, sizeof *touched);
  sequences = calloc((size_t)o.publishers * o.subscribers, sizeof *sequences);
  batch = malloc((size_t)(o.window + 1) * (o.bytes + 64));
  pollFd = epoll_create1(0);
  transport_begin(o.transport, pollFd);
  if (o.kind == LOAD) {
    open_all(SUBSCRIBER, o.subscribers, connections);
    open_all(PUBLISHER, o.publishers, connections + o.subscribers);
    for (int i = 0; i < o.publishers; i++) prepare(&publishers[i], &connections[o.subscribers + i]);
  }
  measure();
  return 0;
}
