/* Frames of RFC 6455 (section 5.2): bytes -> header, header -> bytes, masking. */
#ifndef WIRE_H
#define WIRE_H
#include <stdint.h>
#include <string.h>

enum { TEXT = 0x81, BINARY = 0x82, COMPRESSED = 0x40, FIN = 0x80, CLOSE = 0x88, PING = 0x89, PONG = 0x8A };
#define OPCODE(first) ((first) & 0x0f)
#define IS_CONTROL(first) ((first) & 0x08)
#define LONGEST_HEADER 14

typedef struct {
    uint8_t first; /* FIN, RSV1 to RSV3, opcode */
    int masked;
    uint64_t size; /* of the payload */
    uint8_t key[4];
} header_t;

/* The header's length, or 0 when more bytes are needed. */
static inline size_t read_header(const uint8_t *p, size_t available, header_t *h) {
    if (available < 2) return 0;
    size_t length = 2;
    uint64_t size = p[1] & 0x7f;
    h->first = p[0];
    h->masked = p[1] >> 7;
    if (size == 126) {
        if (available < 4) return 0;
        size = ((uint64_t)p[2] << 8) | p[3];
        length = 4;
    } else if (size == 127) {
        uint64_t big_endian;
        if (available < 10) return 0;
        memcpy(&big_endian, p + 2, 8);
        size = __builtin_bswap64(big_endian);
        length = 10;
    }
    if (h->masked) {
        if (available < length + 4) return 0;
        memcpy(h->key, p + length, 4);
        length += 4;
    }
    h->size = size;
    return length;
}

/* The header's length; `key` may be NULL. */
static inline size_t write_header(uint8_t *p, uint8_t first, uint64_t size, const uint8_t *key) {
    size_t length = 2;
    p[0] = first;
    if (size < 126) {
        p[1] = (uint8_t)size;
    } else if (size < 65536) {
        p[1] = 126;
        p[2] = (uint8_t)(size >> 8);
        p[3] = (uint8_t)size;
        length = 4;
    } else {
        uint64_t big_endian = __builtin_bswap64(size);
        p[1] = 127;
        memcpy(p + 2, &big_endian, 8);
        length = 10;
    }
    if (key) {
        p[1] |= 0x80;
        memcpy(p + length, key, 4);
        length += 4;
    }
    return length;
}

/* 5.3; `out` may be `in`. Eight bytes at a time, which the compiler widens further. */
static inline void apply_mask(uint8_t *out, const uint8_t *in, size_t size, const uint8_t *key) {
    uint32_t once;
    memcpy(&once, key, 4);
    uint64_t twice = ((uint64_t)once << 32) | once;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, in + i, 8);
        word ^= twice;
        memcpy(out + i, &word, 8);
    }
    for (; i < size; i++) out[i] = in[i] ^ key[i & 3];
}

/* xorshift: masking keys that cost nothing. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}
#define SEED 88172645463325252ull

/* A whole masked frame; its length. */
static inline size_t write_frame(uint8_t *out, uint8_t first, const uint8_t *payload, size_t size, uint64_t *random) {
    uint32_t word = (uint32_t)next_random(random);
    uint8_t key[4];
    memcpy(key, &word, 4);
    size_t length = write_header(out, first, size, key);
    apply_mask(out + length, payload, size, key);
    return length + size;
}
#endif
