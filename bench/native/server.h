/* What the parts of the server know of each other. */
#ifndef SERVER_H
#define SERVER_H
#include "channel.h"
#include "wire.h"

/* What was agreed on with one client about permessage-deflate: it gets what it asks for. */
typedef struct {
    int compressed;
    int server_bits, client_bits;
    int server_takeover, client_takeover;
    char answer[200]; /* the header's value */
} agreement_t;

/* One connection. What was read and not used yet is buffer[position..filled]. */
typedef struct {
    channel_t channel;
    uint8_t *buffer;
    size_t capacity, position, filled;
    char path[512];
    agreement_t agreement;
    uint64_t messages;
} client_t;

/* Frames prepared beforehand, so that sending them costs no work per message. */
typedef struct block {
    struct block *next;
    char name[128];
    uint8_t *data;
    size_t frames;
    size_t *ends; /* where each frame ends */
} block_t;

/* prepared.c */
const block_t *prepared(size_t size, int text, const agreement_t *agreement);
size_t compressed_piece(const agreement_t *agreement, const uint8_t *piece, size_t size, uint8_t **compressed);

/* upgrade.c */
int upgrade(client_t *client);
int path_is(const client_t *client, const char *path);
uint64_t parameter(const client_t *client, const char *name, uint64_t otherwise);

/* talk.c */
int fill(client_t *client);
int send_frame(client_t *client, uint8_t first, const void *payload, size_t size);
int answer_control(client_t *client, uint8_t first, uint8_t *payload, size_t size);
void talk_echo(client_t *client);
void talk_receive(client_t *client);
void talk_paced(client_t *client);
void await_close(client_t *client);

/* counting.c */
void talk_send(client_t *client);

/* idle.c */
void start_idle(void);
void keep_idle(client_t *client);
void forget(client_t *client);
#endif
