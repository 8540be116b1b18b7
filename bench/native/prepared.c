/* Size, kind and what was agreed on -> a block of frames, made once and kept. */
#include "feed.h"
#include "server.h"
#include <pthread.h>
#include <zlib.h>

/* As most servers have it. */
#define LEVEL 6
/* Without its last four bytes, which a message leaves out (RFC 7692 section 7.2.1). */
#define TAIL 4

static block_t *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void new_deflater(z_stream *stream, const agreement_t *agreement) {
    memset(stream, 0, sizeof *stream);
    /* zlib cannot write with the smallest window; nine bits never refer farther back than 2^8 + 2^8. */
    int bits = agreement->server_bits < 9 ? 9 : agreement->server_bits;
    if (deflateInit2(stream, LEVEL, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) give_up("deflateInit2");
}

static size_t deflated(z_stream *stream, uint8_t *out, size_t room, const uint8_t *in, size_t size) {
    stream->next_in = (Bytef *)in;
    stream->avail_in = (uInt)size;
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in) give_up("deflate");
    return room - stream->avail_out;
}

static block_t *new_block(const char *name, size_t frames, size_t room) {
    block_t *block = calloc(1, sizeof *block);
    if (!block) give_up("memory");
    snprintf(block->name, sizeof block->name, "%s", name);
    block->frames = frames;
    block->ends = malloc(frames * sizeof *block->ends);
    block->data = aligned_alloc(4096, (room + 4095) & ~(size_t)4095);
    if (!block->data || !block->ends) give_up("memory");
    return block;
}

/* About 256 KiB of frames as they are. */
static block_t *plain_block(const char *name, size_t size, int text) {
    uint8_t scratch[LONGEST_HEADER];
    size_t whole = write_header(scratch, TEXT, size, NULL) + size, used = 0;
    size_t frames = CHUNK / whole ? CHUNK / whole : 1;
    block_t *block = new_block(name, frames, frames * whole);
    uint64_t random = SEED;
    for (size_t i = 0; i < frames; i++) {
        used += write_header(block->data + used, text ? TEXT : BINARY, size, NULL);
        if (text) write_message((char *)block->data + used, size, i, &random);
        else write_bytes((char *)block->data + used, size);
        block->ends[i] = used += size;
    }
    return block;
}

/* The block begins with an empty window, so nothing in it refers to what is before it: it can be
 * sent again and again on one connection, and stays one valid stream. */
static block_t *deflated_block(const char *name, size_t size, const agreement_t *agreement) {
    size_t frames = (2u << 20) / size, room = size + size / 8 + 64, used = 0;
    frames = frames > 8192 ? 8192 : frames < 16 ? 16 : frames;
    block_t *block = new_block(name, frames, frames * (room + LONGEST_HEADER));
    char *message = malloc(size);
    uint8_t *payload = malloc(room);
    z_stream stream;
    uint64_t random = SEED;
    new_deflater(&stream, agreement);
    for (size_t i = 0; i < frames; i++) {
        write_message(message, size, i, &random);
        if (!agreement->server_takeover) deflateReset(&stream);
        size_t length = deflated(&stream, payload, room, (uint8_t *)message, size) - TAIL;
        used += write_header(block->data + used, TEXT | COMPRESSED, length, NULL);
        memcpy(block->data + used, payload, length);
        block->ends[i] = used += length;
    }
    deflateEnd(&stream);
    free(message);
    free(payload);
    return block;
}

const block_t *prepared(size_t size, int text, const agreement_t *agreement) {
    char name[sizeof ((block_t *)0)->name];
    snprintf(name, sizeof name, "%zu %d %d %d %d", size, text, agreement->compressed, agreement->server_bits, agreement->server_takeover);
    pthread_mutex_lock(&lock);
    block_t *block = blocks;
    while (block && strcmp(block->name, name)) block = block->next;
    if (!block) {
        block = agreement->compressed ? deflated_block(name, size, agreement) : plain_block(name, size, text);
        block->next = blocks;
        blocks = block;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

/* A piece of a big message, compressed with an empty window and with its tail: it may follow on itself. */
size_t compressed_piece(const agreement_t *agreement, const uint8_t *piece, size_t size, uint8_t **compressed) {
    size_t room = size + size / 8 + 64;
    z_stream stream;
    new_deflater(&stream, agreement);
    if (!(*compressed = malloc(room))) give_up("memory");
    size_t length = deflated(&stream, *compressed, room, piece, size);
    deflateEnd(&stream);
    return length;
}
