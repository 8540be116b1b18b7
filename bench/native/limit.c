/* The physical limit: the same bytes through the same sockets, with the least work that is possible.
 *
 *   limit --url URL --work WORK --size S --count N [--deflate 0|1] [--cafile FILE]
 *
 * The same command line and the same line of JSON as every other client (bench/client.py):
 *
 *   echo         blocking send and recv of one frame, masked beforehand
 *   receive      recv into 256 KiB, headers parsed, payloads skipped; inflated where they are compressed
 *   send         one send() per message, masked
 *   send_many, send_corked   the same, as many as 256 KiB hold in one send(), or a batch at a time
 *   connect      the TCP handshake, the opening and the closing handshake
 *   idle         so many connections at once
 */
#include "channel.h"
#include "wire.h"
#include <sys/resource.h>
#include <zlib.h>

static const char *work = "echo", *cafile, *url;
static char host[64], path[512];
static int port, deflated, fragments, busy, others;
static size_t size = 128, count = 1000, batch = 1;
static SSL_CTX *tls;

/* What was read and not used yet is buffer[position..filled]. */
static uint8_t buffer[CHUNK + 16];
static size_t position, filled;
static uint64_t rng = SEED;

static void parse_url(void) {
    int secure = !strncmp(url, "wss://", 6);
    const char *authority = url + (secure ? 6 : 5), *colon = strchr(authority, ':'), *slash = strchr(authority, '/');
    if (!colon || !slash) give_up("--url: expected ws://address:port/path");
    snprintf(host, sizeof host, "%.*s", (int)(colon - authority), authority);
    snprintf(path, sizeof path, "%s", slash);
    port = atoi(colon + 1);
    if (!secure) return;
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, 65536); /* measured: best between 32 and 64 KiB */
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    if (!cafile || SSL_CTX_load_verify_locations(tls, cafile, NULL) != 1) give_up("--cafile");
}

static int more(channel_t *channel) {
    if (position) memmove(buffer, buffer + position, filled - position);
    filled -= position;
    position = 0;
    ssize_t got = channel_read(channel, buffer + filled, CHUNK - filled);
    if (got <= 0) return -1;
    filled += (size_t)got;
    return 0;
}

static void open_connection(channel_t *channel) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    *channel = (channel_t){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    send_at_once(channel->fd);
    if (connect(channel->fd, (struct sockaddr *)&address, sizeof address)) give_up("connect");
    if (tls) {
        channel->ssl = SSL_new(tls);
        SSL_set_fd(channel->ssl, channel->fd);
        SSL_set1_host(channel->ssl, "localhost");
        if (SSL_connect(channel->ssl) != 1) give_up("TLS handshake");
    }
    char request[1024];
    int length = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        path, host, port, deflated ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    if (channel_write(channel, request, (size_t)length)) give_up("opening handshake");
    char *end = NULL;
    for (position = filled = 0; !end;) {
        if (more(channel)) give_up("opening handshake");
        buffer[filled] = 0;
        end = strstr((char *)buffer, "\r\n\r\n");
    }
    if (strncmp((char *)buffer, "HTTP/1.1 101", 12)) give_up("refused");
    position = (size_t)(end + 4 - (char *)buffer);
}

static void say(channel_t *channel, uint8_t first, const void *payload, size_t length) {
    uint8_t frame[LONGEST_HEADER + 125];
    if (channel_write(channel, frame, write_frame(frame, first, payload, length, &rng))) give_up("send");
}

static void close_connection(channel_t *channel) {
    say(channel, CLOSE, "\x03\xe8", 2);
    while (channel_read(channel, buffer, CHUNK) > 0) {}
    if (channel->ssl) SSL_free(channel->ssl);
    close(channel->fd);
}

static double resident_kib(void) {
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &resident) != 2) give_up("/proc/self/statm");
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static uint64_t started, cpu_started;
static void start(void) {
    cpu_started = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    started = clock_ns(CLOCK_MONOTONIC);
}

static double seconds, cpu_seconds;
static void stop(void) {
    seconds = (double)(clock_ns(CLOCK_MONOTONIC) - started) / 1e9;
    cpu_seconds = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_started) / 1e9;
}

static void echo(void) {
    channel_t channel;
    uint8_t *frame = malloc(size + LONGEST_HEADER), *answer = malloc(size + LONGEST_HEADER);
    for (size_t i = 0; i < size; i++) answer[i] = (uint8_t)i;
    size_t length = write_frame(frame, BINARY, answer, size, &rng), expected = length - 4;
    open_connection(&channel);
    start();
    for (size_t i = 0; i < count; i++) {
        if (channel_write(&channel, frame, length)) give_up("send");
        for (size_t got = 0; got < expected;) {
            ssize_t part = channel_read(&channel, answer + got, expected - got);
            if (part <= 0) give_up("recv");
            got += (size_t)part;
        }
    }
    stop();
    for (size_t i = 0; i < size; i++)
        if (answer[expected - size + i] != (uint8_t)i) give_up("the echo differs");
    close_connection(&channel);
}

/* The length of a compressed message. */
static size_t inflated(z_stream *stream, uint8_t *out, uint8_t *data, size_t length) {
    static uint8_t tail[4] = {0, 0, 0xff, 0xff};
    stream->next_out = out;
    stream->avail_out = (uInt)size + 64;
    stream->next_in = data;
    stream->avail_in = (uInt)length;
    inflate(stream, Z_SYNC_FLUSH);
    stream->next_in = tail;
    stream->avail_in = sizeof tail;
    inflate(stream, Z_SYNC_FLUSH);
    return size + 64 - stream->avail_out;
}

static void receive(void) {
    channel_t channel;
    z_stream stream = {0};
    uint8_t *out = NULL;
    size_t messages = 0, total = 0;
    if (deflated) {
        inflateInit2(&stream, -15);
        out = malloc(size + 64);
    }
    open_connection(&channel);
    start();
    say(&channel, TEXT, "go", 2);
    while (messages < count) {
        header_t h;
        size_t available = filled - position, length = read_header(buffer + position, available, &h);
        if (length && available - length >= h.size) {
            if (h.first == CLOSE) give_up("too few messages");
            total += deflated ? inflated(&stream, out, buffer + position + length, h.size) : h.size;
            position += length + h.size;
            messages++;
        } else if (length && h.size > CHUNK / 2) { /* a big one: skipped as it comes */
            size_t rest = h.size - (available - length);
            for (position = filled = 0; rest;) {
                ssize_t got = channel_read(&channel, buffer, rest < CHUNK ? rest : CHUNK);
                if (got <= 0) give_up("recv");
                rest -= (size_t)got;
            }
            total += h.size;
            messages++;
        } else if (more(&channel)) {
            give_up("recv");
        }
    }
    stop();
    if (total != count * size) give_up("messages are not as long as they should be");
    close_connection(&channel);
}

/* The next text message, which is a short one. */
static void await_text(channel_t *channel, char *text, size_t room) {
    header_t h;
    size_t length;
    while (!(length = read_header(buffer + position, filled - position, &h)) || filled - position - length < h.size)
        if (more(channel)) give_up("recv");
    if (h.first != TEXT || h.size >= room) give_up("expected a short text");
    memcpy(text, buffer + position + length, h.size);
    text[h.size] = 0;
    position += length + h.size;
}

static void send_all(size_t at_once, int prompted) {
    channel_t channel;
    uint8_t *payload = malloc(size + 8), *out = malloc(at_once + size + LONGEST_HEADER);
    size_t used = 0;
    char text[64];
    for (size_t i = 0; i < size; i++) payload[i] = (uint8_t)i;
    open_connection(&channel);
    start();
    for (size_t i = 0; i < count; i++) {
        if (prompted && i % batch == 0) await_text(&channel, text, sizeof text);
        used += write_frame(out + used, BINARY, payload, size, &rng);
        if (used >= at_once || i == count - 1 || (prompted && i % batch == batch - 1)) {
            if (channel_write(&channel, out, used)) give_up("send");
            used = 0;
        }
    }
    await_text(&channel, text, sizeof text);
    stop();
    if (strtoull(text, NULL, 10) != count) give_up("the server counted otherwise");
    close_connection(&channel);
}

static void open_and_close(void) {
    channel_t channel;
    start();
    for (size_t i = 0; i < count; i++) {
        open_connection(&channel);
        close_connection(&channel);
    }
    stop();
}

static double hold(void) {
    channel_t *channels = calloc(count, sizeof *channels);
    double before = resident_kib();
    start();
    for (size_t i = 0; i < count; i++) open_connection(&channels[i]);
    stop();
    return (resident_kib() - before) / (double)count;
}

int main(int words, char **word) {
    for (int i = 1; i + 1 < words; i += 2) {
        const char *option = word[i], *value = word[i + 1];
        if (!strcmp(option, "--url")) url = value;
        else if (!strcmp(option, "--work")) work = value;
        else if (!strcmp(option, "--size")) size = strtoull(value, NULL, 10);
        else if (!strcmp(option, "--count")) count = strtoull(value, NULL, 10);
        else if (!strcmp(option, "--batch")) batch = strtoull(value, NULL, 10);
        else if (!strcmp(option, "--deflate")) deflated = atoi(value);
        else if (!strcmp(option, "--fragments")) fragments = atoi(value);
        else if (!strcmp(option, "--busy")) busy = atoi(value);
        else if (!strcmp(option, "--crowd") || !strcmp(option, "--flooded")) others |= atoi(value);
        else if (!strcmp(option, "--cafile")) cafile = value;
    }
    if (!url) give_up("--url is missing");
    parse_url();
    double kib = -1;
    if (busy || others || fragments || (deflated && size >= 1u << 20)) {
        printf("{\"unsupported\":\"%s\"}\n",
            busy ? "it has no main thread in Python" : others ? "it serves one connection" : "it does not join fragments");
        return 0;
    }
    if (!strcmp(work, "echo")) echo();
    else if (!strcmp(work, "receive")) receive();
    else if (!strcmp(work, "send") && !deflated) send_all(1, 0);
    else if (!strcmp(work, "send_many")) send_all(CHUNK, 0);
    else if (!strcmp(work, "send_corked")) send_all(CHUNK, 1);
    else if (!strcmp(work, "connect")) open_and_close();
    else if (!strcmp(work, "idle")) kib = hold();
    else {
        printf("{\"unsupported\":\"not written in C\"}\n");
        return 0;
    }
    printf("{\"version\":\"C\",\"seconds\":%.9f,\"cpu_seconds\":%.9f", seconds, cpu_seconds);
    if (kib >= 0) printf(",\"kib_each\":%.3f", kib);
    printf("}\n");
    return 0;
}
