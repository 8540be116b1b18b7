/* A client's request -> the path that it asks for, what is agreed on, and the answer 101. */
#include "server.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>

#define LONGEST_REQUEST 16384
static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
static const char REFUSAL[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/* Where a header's value begins, or NULL. */
static const char *header(const char *request, const char *name) {
    size_t length = strlen(name);
    for (const char *p = strstr(request, "\r\n"); p; p = strstr(p, "\r\n")) {
        p += 2;
        if (strncasecmp(p, name, length) || p[length] != ':') continue;
        p += length + 1;
        while (*p == ' ' || *p == '\t') p++;
        return p;
    }
    return NULL;
}

int path_is(const client_t *client, const char *path) {
    size_t length = strlen(path);
    return !strncmp(client->path, path, length) && (client->path[length] == 0 || client->path[length] == '?');
}

/* A number of the query. */
uint64_t parameter(const client_t *client, const char *name, uint64_t otherwise) {
    size_t length = strlen(name);
    const char *p = strchr(client->path, '?');
    for (; p; p = strchr(p, '&')) {
        p++;
        if (!strncmp(p, name, length) && p[length] == '=') return strtoull(p + length + 1, NULL, 10);
    }
    return otherwise;
}

/* The bits of a window; without a value, or a bad one, the largest. */
static int window_bits(const char *offer, const char *name) {
    const char *p = strstr(offer, name);
    if (!p || p[strlen(name)] != '=') return 15;
    p += strlen(name) + 1;
    int bits = atoi(*p == '"' ? p + 1 : p);
    return bits < 8 || bits > 15 ? 15 : bits;
}

/* The first offer, as it is (RFC 7692 section 7.1). Not tieline's own negotiation: a client is not
 * measured against itself. */
static void agree(const char *request, agreement_t *agreement) {
    const char *value = header(request, "Sec-WebSocket-Extensions");
    char offer[512];
    if (!value || strncmp(value, "permessage-deflate", 18)) return;
    size_t length = strcspn(value, ",\r\n");
    if (length >= sizeof offer) return;
    memcpy(offer, value, length);
    offer[length] = 0;
    agreement->compressed = 1;
    agreement->server_takeover = !strstr(offer, "server_no_context_takeover");
    agreement->client_takeover = !strstr(offer, "client_no_context_takeover");
    agreement->server_bits = window_bits(offer, "server_max_window_bits");
    agreement->client_bits = window_bits(offer, "client_max_window_bits");
    char server_bits[40] = "", client_bits[40] = "";
    if (agreement->server_bits < 15) snprintf(server_bits, sizeof server_bits, "; server_max_window_bits=%d", agreement->server_bits);
    if (agreement->client_bits < 15) snprintf(client_bits, sizeof client_bits, "; client_max_window_bits=%d", agreement->client_bits);
    snprintf(agreement->answer, sizeof agreement->answer, "permessage-deflate%s%s%s%s",
        agreement->server_takeover ? "" : "; server_no_context_takeover",
        agreement->client_takeover ? "" : "; client_no_context_takeover", server_bits, client_bits);
}

static int refuse(client_t *client) {
    channel_write(&client->channel, REFUSAL, sizeof REFUSAL - 1);
    return -1;
}

/* -1: there is nothing more to be said. */
int upgrade(client_t *client) {
    char *request = (char *)client->buffer, *end = NULL;
    while (!end) {
        if (client->filled >= LONGEST_REQUEST) return refuse(client);
        ssize_t got = channel_read(&client->channel, client->buffer + client->filled, LONGEST_REQUEST - client->filled);
        if (got <= 0) return -1;
        client->filled += (size_t)got;
        client->buffer[client->filled] = 0;
        end = strstr(request, "\r\n\r\n");
    }
    end[2] = 0;
    client->position = (size_t)(end + 4 - request);
    const char *key = header(request, "Sec-WebSocket-Key");
    size_t key_length = key ? strcspn(key, " \r\n") : 0;
    if (!key_length || key_length > 60 || sscanf(request, "GET %511s", client->path) != 1) return refuse(client);
    if (parameter(client, "deflate", 0)) agree(request, &client->agreement);

    char proof[128], extension[300] = "", response[600];
    unsigned char digest[20], accept[32];
    memcpy(proof, key, key_length);
    memcpy(proof + key_length, GUID, sizeof GUID - 1);
    SHA1((unsigned char *)proof, key_length + sizeof GUID - 1, digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    if (client->agreement.compressed)
        snprintf(extension, sizeof extension, "Sec-WebSocket-Extensions: %s\r\n", client->agreement.answer);
    int length = snprintf(response, sizeof response,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n%s\r\n", accept, extension);
    return channel_write(&client->channel, response, (size_t)length);
}
