/* A connected socket, with TLS or without -> blocking reads and writes; clocks; the way to give up. */
#ifndef CHANNEL_H
#define CHANNEL_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What one read or write is given, at most. */
#define CHUNK (256 * 1024)

typedef struct {
    int fd;
    SSL *ssl;        /* NULL: no TLS */
    uint64_t in, out; /* bytes, TLS's own not counted */
} channel_t;

static inline uint64_t clock_ns(clockid_t id) {
    struct timespec moment;
    clock_gettime(id, &moment);
    return (uint64_t)moment.tv_sec * 1000000000ull + (uint64_t)moment.tv_nsec;
}

static inline void give_up(const char *what) {
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

/* TLS takes and gives an int. */
static inline int tls_size(size_t size) { return size > (1u << 30) ? 1 << 30 : (int)size; }

/* At least one byte; 0 at the end, -1 on an error. */
static inline ssize_t channel_read(channel_t *channel, void *buffer, size_t size) {
    ssize_t got;
    do {
        got = channel->ssl ? SSL_read(channel->ssl, buffer, tls_size(size)) : recv(channel->fd, buffer, size, 0);
    } while (got < 0 && !channel->ssl && errno == EINTR);
    if (got > 0) channel->in += (uint64_t)got;
    return got;
}

/* All of it; -1 on an error. */
static inline int channel_write(channel_t *channel, const void *data, size_t size) {
    const char *p = data;
    while (size) {
        ssize_t taken;
        if (channel->ssl) taken = SSL_write(channel->ssl, p, tls_size(size));
        else taken = send(channel->fd, p, size, MSG_NOSIGNAL);
        if (taken < 0 && !channel->ssl && errno == EINTR) continue;
        if (taken <= 0) return -1;
        channel->out += (uint64_t)taken;
        p += taken;
        size -= (size_t)taken;
    }
    return 0;
}

static inline void send_at_once(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}
#endif
