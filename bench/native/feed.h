/* A size -> a message as market data feeds send them: one shape, ever new values, printable ASCII. */
#ifndef FEED_H
#define FEED_H
#include "wire.h"
#include <stdio.h>

/* Below this there is no room for an order book, and the message is a trade, cut off where it must be. */
#define SMALLEST_BOOK 140

static const struct { const char *symbol; double price; } MARKET[8] = {
    {"BTCUSDT", 67123.45}, {"ETHUSDT", 3456.78}, {"SOLUSDT", 178.91},  {"XRPUSDT", 0.6123},
    {"ADAUSDT", 0.4456},   {"BNBUSDT", 598.76},  {"DOGEUSDT", 0.1234}, {"LTCUSDT", 84.56}};

static inline double moved(double price, uint64_t *random) {
    return price * (1 + ((double)(next_random(random) % 2000) - 1000) * 1e-6);
}

static inline void write_trade(char *out, size_t size, uint64_t sequence, uint64_t *random) {
    char text[200];
    int which = (int)(next_random(random) % 8);
    int length = snprintf(text, sizeof text,
        "{\"p\":\"%.2f\",\"s\":\"%s\",\"q\":\"%.5f\",\"T\":%llu,\"t\":%llu,\"m\":%s,\"b\":%llu}",
        moved(MARKET[which].price, random), MARKET[which].symbol, (double)(next_random(random) % 1000000) / 1e5,
        (unsigned long long)(1761234567000ull + sequence * 3), (unsigned long long)(4987654321ull + sequence),
        sequence & 1 ? "true" : "false", (unsigned long long)(28457133000ull + sequence * 7));
    size_t used = (size_t)length < size ? (size_t)length : size;
    memcpy(out, text, used);
    memset(out + used, ' ', size - used);
}

/* An update of an order book: exactly `size` bytes of JSON. */
static inline void write_book(char *out, size_t size, uint64_t sequence, uint64_t *random) {
    int which = (int)(next_random(random) % 8), cheap = MARKET[which].price < 10;
    size_t used = (size_t)snprintf(out, size, "{\"e\":\"depthUpdate\",\"E\":%llu,\"s\":\"%s\",\"U\":%llu,\"u\":%llu,\"b\":[",
        (unsigned long long)(1761234567000ull + sequence * 3 + next_random(random) % 3), MARKET[which].symbol,
        (unsigned long long)(48211733000ull + sequence * 11),
        (unsigned long long)(48211733000ull + sequence * 11 + next_random(random) % 11));
    size_t half = used + (size - used) / 2;
    double middle = moved(MARKET[which].price, random), tick = cheap ? 0.0001 : 0.01;
    for (int side = 0; side < 2; side++) {
        size_t limit = side == 0 ? half : size - 2;
        double price = middle;
        for (int first = 1;; first = 0) {
            char level[64];
            price += (side ? 1 : -1) * tick * (double)(1 + next_random(random) % 9);
            int length = cheap
                ? snprintf(level, sizeof level, "%s[\"%.4f\",\"%.1f\"]", first ? "" : ",", price, (double)(next_random(random) % 100000) / 10)
                : snprintf(level, sizeof level, "%s[\"%.2f\",\"%.5f\"]", first ? "" : ",", price,
                           next_random(random) % 5 == 0 ? 0.0 : (double)(next_random(random) % 1000000) / 1e5);
            if (used + (size_t)length + 6 >= limit) break;
            memcpy(out + used, level, (size_t)length);
            used += (size_t)length;
        }
        if (side == 0) {
            memcpy(out + used, "],\"a\":[", 7);
            used += 7;
        }
    }
    out[used++] = ']';
    memset(out + used, ' ', size - 1 - used);
    out[size - 1] = '}';
}

static inline void write_message(char *out, size_t size, uint64_t sequence, uint64_t *random) {
    if (size < SMALLEST_BOOK) write_trade(out, size, sequence, random);
    else write_book(out, size, sequence, random);
}

/* What a binary message holds: every byte value, if it is long enough. */
static inline void write_bytes(char *out, size_t size) {
    for (size_t i = 0; i < size; i++) out[i] = (char)i;
}
#endif
