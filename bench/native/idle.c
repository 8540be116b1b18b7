/* Thousands of open connections -> one thread that answers each message with one of the feed. */
#include "server.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>

/* More than any frame that such a client sends. */
#define ROOM 8192
static int waiting;

void forget(client_t *client) {
    if (client->channel.ssl) {
        SSL_shutdown(client->channel.ssl);
        SSL_free(client->channel.ssl);
    }
    shutdown(client->channel.fd, SHUT_WR);
    close(client->channel.fd);
    free(client->buffer);
    free(client);
}

/* The next message of the feed; -1 when the connection is gone. */
static int answer(client_t *client) {
    const block_t *block = prepared(parameter(client, "size", 128), 1, &client->agreement);
    size_t which = client->messages++ % block->frames, begin = which ? block->ends[which - 1] : 0;
    return channel_write(&client->channel, block->data + begin, block->ends[which] - begin);
}

/* All whole frames that have come; 1: the connection is over. */
static int handle(client_t *client) {
    for (;;) {
        header_t h;
        size_t available = client->filled - client->position;
        size_t length = read_header(client->buffer + client->position, available, &h);
        if (!length || available - length < h.size) break;
        uint8_t *payload = client->buffer + client->position + length;
        if (h.masked) apply_mask(payload, payload, h.size, h.key);
        client->position += length + h.size;
        if (IS_CONTROL(h.first) ? answer_control(client, h.first, payload, h.size) : answer(client)) return 1;
    }
    if (client->position) {
        memmove(client->buffer, client->buffer + client->position, client->filled - client->position);
        client->filled -= client->position;
        client->position = 0;
    }
    return client->filled == client->capacity;
}

/* All that has come; 1: the connection is over. */
static int read_all(client_t *client) {
    channel_t *channel = &client->channel;
    for (;;) {
        void *end = client->buffer + client->filled;
        size_t room = client->capacity - client->filled;
        ssize_t got = channel->ssl ? SSL_read(channel->ssl, end, (int)room) : recv(channel->fd, end, room, MSG_DONTWAIT);
        if (got <= 0)
            return channel->ssl ? SSL_get_error(channel->ssl, (int)got) != SSL_ERROR_WANT_READ : got == 0 || errno != EAGAIN;
        client->filled += (size_t)got;
        if (handle(client)) return 1;
    }
}

static void *serve_idle(void *nothing) {
    struct epoll_event ready[256];
    (void)nothing;
    for (;;) {
        int count = epoll_wait(waiting, ready, 256, -1);
        for (int i = 0; i < count; i++)
            if (read_all(ready[i].data.ptr)) forget(ready[i].data.ptr);
    }
    return NULL;
}

void start_idle(void) {
    pthread_t thread;
    waiting = epoll_create1(EPOLL_CLOEXEC);
    if (waiting < 0 || pthread_create(&thread, NULL, serve_idle, NULL)) give_up("the thread of idle connections");
}

/* From now on the connection is that thread's. */
void keep_idle(client_t *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->position = client->filled = 0;
    client->capacity = ROOM;
    free(client->buffer); /* anew: what nobody has written to takes no memory */
    if (!(client->buffer = malloc(ROOM))) give_up("memory");
    if (client->channel.ssl) fcntl(client->channel.fd, F_SETFL, fcntl(client->channel.fd, F_GETFL) | O_NONBLOCK);
    if (epoll_ctl(waiting, EPOLL_CTL_ADD, client->channel.fd, &event)) forget(client);
}
