// The far side of a bridge that does nothing but read, acknowledge and count: no bridge waits for it.
// Takes one client at a time. Prints the number of PUBLISH packets so far, one line for each read.
// The table "bridge" of the benchmark compiles and runs it: `./sink PORT`

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char in[1 << 20], out[1 << 20];

static void serve(int client) {
  static unsigned long count;
  size_t held = 0;
  int is5 = 0;
  for (;;) {
    ssize_t got = read(client, in + held, sizeof in - held);
    if (got <= 0) return;
    held += got;
    size_t at = 0, n = 0;
    while (held - at >= 2) {
      size_t body = at + 1, length = 0;
      int shift = 0, isWhole = 0;
      while (body < held && shift < 28) {
        length |= (size_t)(in[body] & 127) << shift;
        shift += 7;
        if (in[body++] < 128) { isWhole = 1; break; }
      }
      if (!isWhole || held - body < length) break;
      int type = in[at] >> 4;
      if (type == 1) {
        is5 = in[body + 6] == 5;
        unsigned char connack[] = {0x20, 2 + is5, 0, 0, 0};
        memcpy(out + n, connack, 4 + is5);
        n += 4 + is5;
      } else if (type == 3) {
        count++;
        if (in[at] & 2) {
          size_t id = body + 2 + (in[body] << 8 | in[body + 1]);
          unsigned char puback[] = {0x40, 2, in[id], in[id + 1]};
          memcpy(out + n, puback, 4);
          n += 4;
        }
      } else if (type == 12) {
        memcpy(out + n, "\xd0\x00", 2);
        n += 2;
      }
      at = body + length;
    }
    memmove(in, in + at, held - at);
    held -= at;
    if (n > 0 && write(client, out, n) != (ssize_t)n) return;
    printf("%lu\n", count);
    fflush(stdout);
  }
}

int main(int argc, char **argv) {
  (void)argc;
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0) return 1;
  listen(server, 8);
  for (;;) {
    int client = accept(server, NULL, NULL);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    serve(client);
    close(client);
  }
}
