// See transport.h. OpenSSL is loaded while the program runs, so that compiling needs no headers of it; the
// prototypes are those of its manual pages. WebSocket: RFC 6455, sections 4.1 and 5.2.

#define _GNU_SOURCE
#include "transport.h"

#include <dlfcn.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX 65532  // a whole number of acknowledgements

enum { CONNECTING, HANDSHAKE, UPGRADE, READY };
enum { WANT_READ = 2, WANT_WRITE = 3 };  // of SSL_get_error()

static enum transport transport;
static int pollFd;
static long handshakes, resumed;
// Not zero: some servers skip the work of unmasking then.
static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

static struct {
  const void *(*TLS_client_method)(void);
  void *(*SSL_CTX_new)(const void *);
  long (*SSL_CTX_ctrl)(void *, int, long, void *);
  void *(*SSL_new)(void *);
  int (*SSL_set_fd)(void *, int), (*SSL_connect)(void *), (*SSL_read)(void *, void *, int);
  int (*SSL_write)(void *, const void *, int), (*SSL_get_error)(void *, int), (*SSL_pending)(void *);
  int (*SSL_set_session)(void *, void *), (*SSL_session_reused)(void *), (*SSL_shutdown)(void *);
  void *(*SSL_get1_session)(void *);
  void (*SSL_free)(void *), (*SSL_SESSION_free)(void *);
} ssl;
static void *tlsContext;

void fail(const char *what, const char *detail) {
  fprintf(stderr, "load generator: %s%s%s\n", what, *detail ? ": " : "", detail);
  exit(1);
}

static void load_openssl(void) {
  void *library = dlopen("libssl.so.3", RTLD_NOW);
  if (library == NULL) fail("TLS needs libssl.so.3", "");
#define LOAD_SYMBOL(name) \
  if ((*(void **)&ssl.name = dlsym(library, #name)) == NULL) fail("libssl lacks", #name)
  LOAD_SYMBOL(TLS_client_method); LOAD_SYMBOL(SSL_CTX_new); LOAD_SYMBOL(SSL_CTX_ctrl);
  LOAD_SYMBOL(SSL_new); LOAD_SYMBOL(SSL_set_fd); LOAD_SYMBOL(SSL_connect);
  LOAD_SYMBOL(SSL_read); LOAD_SYMBOL(SSL_write); LOAD_SYMBOL(SSL_get_error);
  LOAD_SYMBOL(SSL_pending); LOAD_SYMBOL(SSL_set_session); LOAD_SYMBOL(SSL_session_reused);
  LOAD_SYMBOL(SSL_shutdown); LOAD_SYMBOL(SSL_get1_session); LOAD_SYMBOL(SSL_free);
  LOAD_SYMBOL(SSL_SESSION_free);
  tlsContext = ssl.SSL_CTX_new(ssl.TLS_client_method());
  ssl.SSL_CTX_ctrl(tlsContext, 33, 3, NULL);  // SSL_CTRL_MODE: partial writes, a moving buffer
}

void transport_begin(enum transport chosen, int fd) {
  transport = chosen;
  pollFd = fd;
  signal(SIGPIPE, SIG_IGN);  // a closed connection shows when it is read
  if (chosen == TLS) load_openssl();
}

static void watch(struct link *link, int hasOut, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (hasOut ? EPOLLOUT : 0), .data.ptr = link};
  link->hasOut = hasOut;
  epoll_ctl(pollFd, operation, link->fd, &event);
}

void link_open(struct link *link, const struct sockaddr_in *to) {
  int one = 1;
  link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (link->fd < 0) fail("no socket", strerror(errno));
  setsockopt(link->fd, SOL_TCP, TCP_NODELAY, &one, sizeof one);
  link->state = CONNECTING;
  link->queued = link->headHeld = link->frameLeft = 0;
  if (connect(link->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
    fail("cannot connect", strerror(errno));
  watch(link, 1, EPOLL_CTL_ADD);
}

static int tls_handshake(struct link *link) {
  if (link->ssl == NULL) {
    link->ssl = ssl.SSL_new(tlsContext);
    ssl.SSL_set_fd(link->ssl, link->fd);
    if (link->session != NULL) ssl.SSL_set_session(link->ssl, link->session);
  }
  int n = ssl.SSL_connect(link->ssl);
  if (n != 1 && ssl.SSL_get_error(link->ssl, n) != WANT_READ) fail("a TLS handshake failed", "");
  if (n != 1) return 0;
  handshakes++;
  resumed += ssl.SSL_session_reused(link->ssl);
  return 1;
}

static void request_upgrade(struct link *link) {
  static const char request[] =
      "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: c2hvYWwgYmVuY2htYXJrIQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
  link->state = UPGRADE;
  link_send_framed(link, (const unsigned char *)request, sizeof request - 1);
}

static int read_upgrade(struct link *link) {
  char answer[4096];
  ssize_t n = recv(link->fd, answer, sizeof answer - 1, MSG_PEEK);
  if (n < 0 && errno == EAGAIN) return 0;
  answer[n > 0 ? n : 0] = 0;
  char *end = strstr(answer, "\r\n\r\n");
  if (end == NULL && n > 0 && n < (ssize_t)sizeof answer - 1) return 0;
  if (end == NULL || strncmp(answer, "HTTP/1.1 101 ", 13) != 0) fail("no WebSocket", "");
  return read(link->fd, answer, end + 4 - answer) > 0;
}

int link_advance(struct link *link) {
  if (link->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) fail("cannot connect", strerror(error));
    watch(link, 0, EPOLL_CTL_MOD);
    link->state = HANDSHAKE;
    if (transport == WEBSOCKET) request_upgrade(link);
  }
  int isReady = link->state == UPGRADE ? read_upgrade(link) : transport != TLS || tls_handshake(link);
  if (isReady) link->state = READY;
  return isReady;
}

int link_is_ready(const struct link *link) {
  return link->state == READY;
}

static size_t write_some(struct link *link, const unsigned char *bytes, size_t length) {
  size_t written = 0;
  while (written < length) {
    ssize_t n = link->ssl != NULL ? ssl.SSL_write(link->ssl, bytes + written, length - written)
                                  : write(link->fd, bytes + written, length - written);
    if (n <= 0) break;
    written += n;
  }
  return written;
}

void link_send_framed(struct link *link, const unsigned char *bytes, size_t length) {
  size_t written = link->queued > 0 ? 0 : write_some(link, bytes, length);
  if (written == length) return;
  link->queue = realloc(link->queue, link->queued + length - written);
  memcpy(link->queue + link->queued, bytes + written, length - written);
  link->queued += length - written;
  if (!link->hasOut) watch(link, 1, EPOLL_CTL_MOD);
}

void link_flush(struct link *link) {
  size_t written = write_some(link, link->queue, link->queued);
  memmove(link->queue, link->queue + written, link->queued - written);
  link->queued -= written;
  if (link->queued == 0) watch(link, 0, EPOLL_CTL_MOD);
}

size_t frame_header(unsigned char *at, size_t length) {
  if (transport != WEBSOCKET) return 0;
  size_t n = 2;
  at[0] = 0x82;
  at[1] = 0x80 | (length < 126 ? length : 126);
  if (length >= 126) {
    at[n++] = length >> 8;
    at[n++] = length;
  }
  memcpy(at + n, MASK, 4);
  return n + 4;
}

void frame_mask(unsigned char *at, size_t length) {
  if (transport != WEBSOCKET) return;
  for (size_t i = 0; i < length; i++) at[i] ^= MASK[i & 3];
}

void link_send(struct link *link, const unsigned char *bytes, size_t length) {
  static unsigned char frame[FRAME_HEADER_MAX + FRAME_MAX];
  for (size_t at = 0, part; at < length; at += part) {
    part = length - at > FRAME_MAX ? FRAME_MAX : length - at;
    size_t start = frame_header(frame, part);
    memcpy(frame + start, bytes + at, part);
    frame_mask(frame + start, part);
    link_send_framed(link, frame, start + part);
  }
}

/** Copies the payloads of WebSocket frames to `to`. @returns their length, or -1 after a close frame */
static ssize_t unframe(struct link *link, const unsigned char *from, size_t length,
                       unsigned char *to) {
  size_t at = 0, made = 0;
  while (at < length) {
    if (link->frameLeft == 0) {
      link->head[link->headHeld++] = from[at++];
      int size = link->headHeld < 2 ? 0 : link->head[1] & 127;
      size_t needed = link->headHeld < 2 ? 2 : size == 126 ? 4 : size == 127 ? 10 : 2;
      if (link->headHeld < needed) continue;
      if ((link->head[0] & 15) == 8) return -1;
      link->frameLeft = size < 126 ? (size_t)size : 0;
      for (size_t i = 2; i < needed; i++) link->frameLeft = link->frameLeft << 8 | link->head[i];
      link->headHeld = 0;
      continue;
    }
    size_t part = length - at < link->frameLeft ? length - at : link->frameLeft;
    memcpy(to + made, from + at, part);
    made += part;
    at += part;
    link->frameLeft -= part;
  }
  return made;
}

static ssize_t receive_tls(struct link *link, unsigned char *to, size_t room) {
  size_t made = 0;
  while (made < room) {
    int n = ssl.SSL_read(link->ssl, to + made, room - made);
    if (n > 0) {
      made += n;
      continue;
    }
    int error = ssl.SSL_get_error(link->ssl, n);
    return made > 0 ? (ssize_t)made : error == WANT_READ || error == WANT_WRITE ? -1 : 0;
  }
  return made;
}

ssize_t link_receive(struct link *link, unsigned char *to, size_t room) {
  static unsigned char frames[READ_MAX];
  if (link->ssl != NULL) return receive_tls(link, to, room);
  int isFramed = transport == WEBSOCKET;
  ssize_t n = read(link->fd, isFramed ? frames : to, room);
  if (n < 0) return errno == EAGAIN ? -1 : 0;
  if (n == 0 || !isFramed) return n;
  n = unframe(link, frames, n, to);
  return n > 0 ? n : n == 0 ? -1 : 0;
}

int link_has_more(const struct link *link) {
  return link->ssl != NULL && ssl.SSL_pending(link->ssl) > 0;
}

void link_close(struct link *link, int keepsSession) {
  if (link->ssl != NULL) {
    if (keepsSession) {
      if (link->session != NULL) ssl.SSL_SESSION_free(link->session);
      link->session = ssl.SSL_get1_session(link->ssl);
    }
    ssl.SSL_shutdown(link->ssl);  // OpenSSL resumes only a session that has ended well
    ssl.SSL_free(link->ssl);
    link->ssl = NULL;
  }
  close(link->fd);
}

void tls_counts(long *all, long *again) {
  *all = handshakes;
  *again = resumed;
}
