// Connections of the load generator: TCP, TLS and WebSocket behind one interface, without blocking. They know
// nothing of MQTT. Every function that can fail ends the program with a message.

#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/types.h>

#define READ_MAX (256 << 10)
#define FRAME_HEADER_MAX 8

enum transport { TCP, TLS, WEBSOCKET };

/** First member of what epoll reports. */
struct link {
  int fd, state, hasOut;
  void *ssl, *session;
  unsigned char *queue, head[14];
  size_t queued, headHeld, frameLeft;
};

void fail(const char *what, const char *detail);

/** Before any other function. TLS loads libssl.so.3 here. */
void transport_begin(enum transport transport, int pollFd);

/** Starts to connect; keeps the TLS session of the connection before. */
void link_open(struct link *link, const struct sockaddr_in *to);

/** Goes on with connecting, after an event. @returns 1 as soon as bytes can be sent */
int link_advance(struct link *link);
int link_is_ready(const struct link *link);

/** Sends bytes in a frame of their own; a WebSocket frame holds at most 65,532 bytes. */
void link_send(struct link *link, const unsigned char *bytes, size_t length);

/** Sends bytes that have their frames already. */
void link_send_framed(struct link *link, const unsigned char *bytes, size_t length);

/** Sends what is queued, after EPOLLOUT. */
void link_flush(struct link *link);

/** @param room at most READ_MAX. @returns bytes read, 0 at the end of the connection, -1 if none came yet */
ssize_t link_receive(struct link *link, unsigned char *to, size_t room);

/** Whether bytes wait that epoll will not report. */
int link_has_more(const struct link *link);

/** @param keepsSession the next link_open() resumes the TLS session */
void link_close(struct link *link, int keepsSession);

/** TLS handshakes so far, and how many of them resumed a session. */
void tls_counts(long *handshakes, long *resumed);

/** Header of a WebSocket frame; nothing for other transports. @returns its length */
size_t frame_header(unsigned char *at, size_t length);

/** Masks the payload of a WebSocket frame; nothing for other transports. */
void frame_mask(unsigned char *at, size_t length);

#endif
