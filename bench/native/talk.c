/* An upgraded connection -> its echo, a burst of prepared messages, or messages at a steady pace. */
#include "feed.h"
#include "server.h"

/* From here on a message is too large to be prepared whole. */
#define BIG (1u << 20)
#define LARGEST_ECHO (512u << 20)
static const uint8_t NORMAL_CLOSURE[2] = {0x03, 0xe8}, PROTOCOL_ERROR[2] = {0x03, 0xea};

int fill(client_t *client) {
    if (client->position == client->filled) {
        client->position = client->filled = 0;
    } else if (client->position && client->capacity - client->filled < CHUNK / 2) {
        memmove(client->buffer, client->buffer + client->position, client->filled - client->position);
        client->filled -= client->position;
        client->position = 0;
    }
    size_t room = client->capacity - client->filled;
    ssize_t got = channel_read(&client->channel, client->buffer + client->filled, room > CHUNK ? CHUNK : room);
    if (got <= 0) return -1;
    client->filled += (size_t)got;
    return 0;
}

/* At most 125 bytes of payload. */
int send_frame(client_t *client, uint8_t first, const void *payload, size_t size) {
    uint8_t frame[LONGEST_HEADER + 125];
    if (size > 125) size = 125;
    size_t length = write_header(frame, first, size, NULL);
    memcpy(frame + length, payload, size);
    return channel_write(&client->channel, frame, length + size);
}

/* A whole control frame, unmasked. 1: the connection is over. */
int answer_control(client_t *client, uint8_t first, uint8_t *payload, size_t size) {
    if (size > 125) return 1;
    if (first == CLOSE) {
        send_frame(client, CLOSE, payload, size);
        return 1;
    }
    return first == PING && send_frame(client, PONG, payload, size);
}

/* Make the buffer large enough for `needed` bytes from the position on. */
static int make_room(client_t *client, size_t needed) {
    if (client->position + needed <= client->capacity) return 0;
    if (needed > LARGEST_ECHO) return -1;
    memmove(client->buffer, client->buffer + client->position, client->filled - client->position);
    client->filled -= client->position;
    client->position = 0;
    if (needed > client->capacity) {
        uint8_t *larger = realloc(client->buffer, needed + CHUNK);
        if (!larger) return -1;
        client->buffer = larger;
        client->capacity = needed + CHUNK;
    }
    return 0;
}

void talk_echo(client_t *client) {
    for (;;) {
        header_t h;
        size_t available = client->filled - client->position;
        size_t length = read_header(client->buffer + client->position, available, &h);
        if (!length || available - length < h.size) {
            if ((length && make_room(client, length + h.size)) || fill(client)) return;
            continue;
        }
        if (!h.masked) { /* 5.1 */
            send_frame(client, CLOSE, PROTOCOL_ERROR, sizeof PROTOCOL_ERROR);
            return;
        }
        uint8_t *payload = client->buffer + client->position + length;
        apply_mask(payload, payload, h.size, h.key);
        client->position += length + h.size;
        if (IS_CONTROL(h.first)) {
            if (answer_control(client, h.first, payload, h.size)) return;
            continue;
        }
        /* An unmasked header is shorter than the masked one: the answer is written over the question. */
        uint8_t header[LONGEST_HEADER];
        size_t shorter = write_header(header, h.first, h.size, NULL);
        memcpy(payload - shorter, header, shorter);
        client->messages++;
        if (channel_write(&client->channel, payload - shorter, shorter + h.size)) return;
    }
}

/* The client says that it is ready: one frame, whatever is in it. */
static int await_word(client_t *client) {
    for (;;) {
        header_t h;
        size_t available = client->filled - client->position;
        size_t length = read_header(client->buffer + client->position, available, &h);
        if (length && available - length >= h.size) {
            client->position += length + h.size;
            return OPCODE(h.first) == OPCODE(CLOSE) ? -1 : 0;
        }
        if (fill(client)) return -1;
    }
}

void await_close(client_t *client) {
    for (;;) {
        header_t h;
        size_t available = client->filled - client->position;
        size_t length = read_header(client->buffer + client->position, available, &h);
        if (length && available - length >= h.size) {
            client->position += length + h.size;
            if (h.first == CLOSE) return;
        } else if (fill(client)) {
            return;
        }
    }
}

/* One big message in one frame: its header, then the same piece again and again. */
static int send_whole(client_t *client, const uint8_t *piece, size_t size, int text) {
    uint8_t header[LONGEST_HEADER];
    size_t length = write_header(header, text ? TEXT : BINARY, size, NULL);
    if (channel_write(&client->channel, header, length)) return -1;
    for (size_t rest = size; rest;) {
        size_t part = rest < CHUNK ? rest : CHUNK;
        if (channel_write(&client->channel, piece, part)) return -1;
        rest -= part;
    }
    return 0;
}

/* The same in fragments of one piece each, the last without what a message leaves out at its end. */
static int send_fragments(client_t *client, const uint8_t *piece, size_t length, size_t tail, size_t pieces, uint8_t first) {
    for (size_t i = 0; i < pieces; i++) {
        uint8_t header[LONGEST_HEADER];
        int last = i == pieces - 1;
        size_t size = last ? length - tail : length;
        size_t head = write_header(header, (uint8_t)((i ? 0 : first) | (last ? FIN : 0)), size, NULL);
        if (channel_write(&client->channel, header, head) || channel_write(&client->channel, piece, size)) return -1;
    }
    return 0;
}

static int send_big(client_t *client, size_t size, size_t count) {
    int text = (int)parameter(client, "text", 0), failed = 0;
    uint8_t opcode = OPCODE(text ? TEXT : BINARY), *piece = malloc(CHUNK), *compressed = NULL;
    uint64_t random = SEED;
    size_t length = 0;
    if (!piece) give_up("memory");
    if (text) write_book((char *)piece, CHUNK, 0, &random);
    else write_bytes((char *)piece, CHUNK);
    if (client->agreement.compressed) length = compressed_piece(&client->agreement, piece, CHUNK, &compressed);
    for (size_t i = 0; i < count && !failed; i++) {
        if (compressed) failed = send_fragments(client, compressed, length, 4, size / CHUNK, opcode | COMPRESSED);
        else if (parameter(client, "fragments", 0)) failed = send_fragments(client, piece, CHUNK, 0, size / CHUNK, opcode);
        else failed = send_whole(client, piece, size, text);
    }
    free(piece);
    free(compressed);
    return failed;
}

static int send_prepared(client_t *client, const block_t *block, size_t count) {
    while (count) {
        size_t frames = count < block->frames ? count : block->frames;
        if (channel_write(&client->channel, block->data, block->ends[frames - 1])) return -1;
        count -= frames;
    }
    return 0;
}

void talk_receive(client_t *client) {
    size_t size = parameter(client, "size", 128), count = parameter(client, "count", 1000);
    const block_t *block = size < BIG ? prepared(size, (int)parameter(client, "text", 0), &client->agreement) : NULL;
    if (await_word(client)) return;
    client->channel.out = 0;
    if (block ? send_prepared(client, block, count) : send_big(client, size, count)) return;
    client->messages = count;
    if (parameter(client, "close", 1)) send_frame(client, CLOSE, NORMAL_CLOSURE, sizeof NORMAL_CLOSURE);
}

/* Each message is the moment at which it was sent, in nanoseconds of the monotonic clock. */
void talk_paced(client_t *client) {
    uint64_t count = parameter(client, "count", 1000), step = 1000000000ull / parameter(client, "rate", 1000);
    if (await_word(client)) return;
    uint64_t due = clock_ns(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < count; i++) {
        due += step;
        struct timespec moment = {(time_t)(due / 1000000000ull), (long)(due % 1000000000ull)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
        char text[32];
        int length = snprintf(text, sizeof text, "%llu", (unsigned long long)clock_ns(CLOCK_MONOTONIC));
        if (send_frame(client, TEXT, text, (size_t)length)) return;
    }
    client->messages = count;
    send_frame(client, CLOSE, NORMAL_CLOSURE, sizeof NORMAL_CLOSURE);
}
