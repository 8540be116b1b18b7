/* What a client sends -> counted, and when `check` was asked for also inflated and summed up. */
#include "server.h"
#include <zlib.h>

typedef struct {
    uint64_t expected, batch; /* messages; 0: the client needs no word to go on */
    uint64_t sum;             /* CRC-32 of all payloads, one behind the other */
    int check;
    z_stream inflater;
} count_t;

static int begin_inflating(count_t *count, const agreement_t *agreement) {
    /* A window larger than agreed on would not notice that the client's is. */
    return agreement->compressed && inflateInit2(&count->inflater, -agreement->client_bits) != Z_OK;
}

static int add_inflated(count_t *count, uint8_t *data, size_t size) {
    uint8_t out[65536];
    count->inflater.next_in = data;
    count->inflater.avail_in = (uInt)size;
    do {
        count->inflater.next_out = out;
        count->inflater.avail_out = sizeof out;
        int code = inflate(&count->inflater, Z_SYNC_FLUSH);
        if (code != Z_OK && code != Z_BUF_ERROR) return -1;
        count->sum = crc32(count->sum, out, (uInt)(sizeof out - count->inflater.avail_out));
    } while (!count->inflater.avail_out);
    return 0;
}

/* A payload, whole and unmasked. `compressed` is of the message, `last` of the frame. */
static int add_checked(client_t *client, count_t *count, uint8_t *payload, size_t size, int compressed, int last) {
    static uint8_t tail[4] = {0, 0, 0xff, 0xff};
    if (!compressed) {
        count->sum = crc32_z(count->sum, payload, size);
        return 0;
    }
    if (!client->agreement.compressed || add_inflated(count, payload, size)) return -1;
    if (!last) return 0;
    if (add_inflated(count, tail, sizeof tail)) return -1;
    if (!client->agreement.client_takeover) inflateReset(&count->inflater);
    return 0;
}

static int report(client_t *client, const count_t *count) {
    char text[64];
    int length = count->check
        ? snprintf(text, sizeof text, "%llu %08llx", (unsigned long long)client->messages, (unsigned long long)count->sum)
        : snprintf(text, sizeof text, "%llu", (unsigned long long)client->messages);
    return send_frame(client, TEXT, text, (size_t)length);
}

static int message_ended(client_t *client, const count_t *count) {
    client->messages++;
    if (client->messages == count->expected) return report(client, count);
    if (count->batch && client->messages % count->batch == 0) return send_frame(client, TEXT, "go", 2);
    return 0;
}

/* Payloads are skipped as they come, unless somebody wants to look at them. */
static void count_all(client_t *client, count_t *count) {
    uint64_t rest = 0;
    header_t h = {0};
    int compressed = 0;
    for (;;) {
        if (rest) {
            size_t part = client->filled - client->position;
            if (part > rest) part = rest;
            client->position += part;
            rest -= part;
            if (rest) {
                if (fill(client)) return;
                continue;
            }
            if (h.first & FIN && message_ended(client, count)) return;
        }
        size_t available = client->filled - client->position;
        size_t length = read_header(client->buffer + client->position, available, &h);
        if (!length) {
            if (fill(client)) return;
            continue;
        }
        if (!h.masked) return;
        if (IS_CONTROL(h.first) || count->check) {
            if (length + h.size > client->capacity - CHUNK) return;
            if (available - length < h.size) {
                if (fill(client)) return;
                continue;
            }
            uint8_t *payload = client->buffer + client->position + length;
            apply_mask(payload, payload, h.size, h.key);
            client->position += length + h.size;
            if (IS_CONTROL(h.first)) {
                if (answer_control(client, h.first, payload, h.size)) return;
                continue;
            }
            if (OPCODE(h.first)) compressed = h.first & COMPRESSED;
            if (add_checked(client, count, payload, h.size, compressed, h.first & FIN)) return;
            if (h.first & FIN && message_ended(client, count)) return;
            continue;
        }
        client->position += length;
        rest = h.size;
        if (!rest && h.first & FIN && message_ended(client, count)) return;
    }
}

void talk_send(client_t *client) {
    count_t count = {.expected = parameter(client, "count", 0), .batch = parameter(client, "batch", 0),
                     .check = (int)parameter(client, "check", 0)};
    client->channel.in = client->filled - client->position;
    if (begin_inflating(&count, &client->agreement)) return;
    if (!count.batch || !send_frame(client, TEXT, "go", 2)) count_all(client, &count);
    if (client->agreement.compressed) inflateEnd(&count.inflater);
}
