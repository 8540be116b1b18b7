/* A port -> a server that costs as little as possible, so that the client is what is measured.
 *
 *   server [--certificate FILE --key FILE]
 *
 * It prints one line of JSON with its ports, and ends with its standard input. Threads are started
 * beforehand and serve one connection each, so a measured client has exactly one of them at work.
 * What a connection is about is its path:
 *
 *   /echo                              every message back
 *   /connect                           the same
 *   /receive?size=&count=&text=        after the client's first message, so many, in blocks prepared
 *            [&fragments=1][&close=0]  beforehand; then a Close
 *   /paced?count=&rate=                the same, so many per second, each with the time it was sent
 *   /send?count=[&batch=][&check=1]    counts messages, and answers the last with their number; with
 *                                      `batch` it says "go" at the beginning and after each batch;
 *                                      with `check` the number is followed by a CRC-32 of payloads
 *   /idle?size=                        answers each message with one of so many bytes
 *
 * With &deflate=1 permessage-deflate is agreed on as the client wishes. With &run= there is one line
 * of JSON at the end of the connection: its bytes and messages. */
#include "server.h"
#include <pthread.h>
#include <signal.h>

#define WORKERS 8

typedef struct {
    int fd;
    SSL_CTX *tls; /* NULL: without */
} listener_t;

static void report(const client_t *client) {
    char line[256];
    uint64_t run = parameter(client, "run", 0);
    if (!run) return;
    int length = snprintf(line, sizeof line, "{\"run\":%llu,\"messages\":%llu,\"in\":%llu,\"out\":%llu,\"agreed\":\"%s\"}\n",
        (unsigned long long)run, (unsigned long long)client->messages, (unsigned long long)client->channel.in,
        (unsigned long long)client->channel.out, client->agreement.answer);
    if (write(1, line, (size_t)length) < 0) {} /* nobody listens any more */
}

static void serve(int fd, SSL_CTX *tls) {
    client_t *client = calloc(1, sizeof *client);
    if (!client) give_up("memory");
    client->channel.fd = fd;
    client->capacity = 2 * CHUNK;
    if (!(client->buffer = malloc(client->capacity + 16))) give_up("memory");
    client->agreement = (agreement_t){.server_bits = 15, .client_bits = 15, .server_takeover = 1, .client_takeover = 1};
    send_at_once(fd);
    if (tls) {
        client->channel.ssl = SSL_new(tls);
        SSL_set_fd(client->channel.ssl, fd);
        if (SSL_accept(client->channel.ssl) != 1) {
            forget(client);
            return;
        }
    }
    if (!upgrade(client)) {
        if (path_is(client, "/echo") || path_is(client, "/connect")) talk_echo(client);
        else if (path_is(client, "/send")) talk_send(client);
        else if (path_is(client, "/idle")) {
            keep_idle(client);
            return;
        } else if (path_is(client, "/receive") || path_is(client, "/paced")) {
            if (path_is(client, "/receive")) talk_receive(client);
            else talk_paced(client);
            report(client);
            await_close(client);
            forget(client);
            return;
        }
        report(client);
    }
    forget(client);
}

static void *work(void *argument) {
    listener_t *listener = argument;
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) serve(fd, listener->tls);
        else if (errno != EINTR && errno != ECONNABORTED) give_up("accept");
    }
    return NULL;
}

/* Its port. */
static int start(listener_t *listener) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* BBR, which some machines have, sends in paces that a timer sets: more time than all clients take. */
    if (setsockopt(listener->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)) give_up("congestion control");
    if (bind(listener->fd, (struct sockaddr *)&address, length) || listen(listener->fd, 4096)) give_up("listen");
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, listener)) give_up("thread");
    }
    getsockname(listener->fd, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

int main(int count, char **words) {
    static listener_t plain, tls;
    const char *certificate = NULL, *key = NULL;
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(words[i], "--certificate")) certificate = words[i + 1];
        else if (!strcmp(words[i], "--key")) key = words[i + 1];
        else give_up(words[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    start_idle();
    int tls_port = 0, port = start(&plain);
    if (certificate && key) {
        tls.tls = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(tls.tls, certificate) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls.tls, key, SSL_FILETYPE_PEM) != 1)
            give_up("certificate");
        SSL_CTX_set_mode(tls.tls, SSL_MODE_AUTO_RETRY);
        SSL_CTX_set_read_ahead(tls.tls, 1);
        SSL_CTX_set_default_read_buffer_len(tls.tls, CHUNK);
        tls_port = start(&tls);
    }
    char line[128];
    int length = snprintf(line, sizeof line, "{\"port\":%d,\"tls_port\":%d}\n", port, tls_port);
    if (write(1, line, (size_t)length) < 0) return 1;
    /* Whoever has started this keeps the other end open: when the parent is gone, so is the server. */
    while (read(0, line, sizeof line) > 0) {}
    return 0;
}
