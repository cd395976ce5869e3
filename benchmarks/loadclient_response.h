/* Decoding the response: its head, and its body in chunked transfer coding. */
#ifndef LOADCLIENT_RESPONSE_H
#define LOADCLIENT_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "loadclient_options.h"

/* Vectors of sixteen bytes, which GCC and Clang compile for any processor. */
typedef uint8_t Lanes __attribute__((vector_size(16)));

/* Counts LF. Vectorized, because it processes every byte of the response. */
static uint64_t
count_lines(const char *bytes, size_t size)
{
    uint64_t lines = 0;
    while (size >= sizeof(Lanes)) {
        /* A matching lane is -1, so its count cannot overflow within 255 rounds. */
        size_t rounds = size / sizeof(Lanes) < 255 ? size / sizeof(Lanes) : 255;
        Lanes sums = {0};
        for (size_t i = 0; i < rounds; i++, bytes += sizeof(Lanes)) {
            Lanes lanes;
            memcpy(&lanes, bytes, sizeof lanes);
            sums -= (Lanes)(lanes == '\n');
        }
        for (size_t i = 0; i < sizeof(Lanes); i++)
            lines += sums[i];
        size -= rounds * sizeof(Lanes);
    }
    for (; size; size--)
        lines += *bytes++ == '\n';
    return lines;
}

typedef enum {
    IN_HEAD,
    IN_SIZE,      /* hexadecimal digits */
    IN_EXTENSION, /* up to the LF of the size line */
    IN_DATA,
    AFTER_DATA,   /* CR LF of a chunk */
    TRAILER,      /* start of a trailer line */
    TRAILER_LINE,
    DONE,
} State;

typedef struct {
    State state;
    uint64_t left;   /* remaining bytes of the chunk, or its size while that is being read */
    unsigned digits;
    uint64_t bytes;  /* decoded body */
    uint64_t lines;
    uint64_t chunks; /* the terminating one is not counted */
    uint64_t wire;   /* all bytes read */
    FILE *output;
    size_t head_size;
    char head[HEAD_MAX + 1];
} Response;

static bool
has_chunked_encoding(const char *head)
{
    static const char name[] = "transfer-encoding:";
    for (const char *line = head; (line = strchr(line, '\n')) != NULL;) {
        line++;
        if (strncasecmp(line, name, sizeof name - 1) != 0)
            continue;
        const char *value = line + sizeof name - 1;
        while (*value == ' ' || *value == '\t')
            value++;
        return strncasecmp(value, "chunked", 7) == 0;
    }
    return false;
}

/* Consumes bytes of the head; returns how many. Exits if the response is not as expected. */
static size_t
take_head(Response *response, const char *bytes, size_t size)
{
    size_t before = response->head_size, room = HEAD_MAX - before;
    size_t take = size < room ? size : room;
    memcpy(response->head + before, bytes, take);
    response->head_size += take;
    response->head[response->head_size] = '\0';
    char *end = strstr(response->head, "\r\n\r\n");
    if (end == NULL) {
        if (take == room)
            fail(EXIT_PROTOCOL, "response head longer than %d bytes", HEAD_MAX);
        return take;
    }
    size_t head = (size_t)(end + 4 - response->head);
    int status = 0;
    if (sscanf(response->head, "HTTP/1.1 %d", &status) != 1)
        fail(EXIT_PROTOCOL, "not an HTTP/1.1 response: %.60s", response->head);
    if (status / 100 == 1) {
        response->head_size = 0;
        return head - before;
    }
    if (status != 200)
        fail(EXIT_PROTOCOL, "the server refused:\n%s", response->head);
    if (!has_chunked_encoding(response->head))
        fail(EXIT_PROTOCOL, "the response is not chunked:\n%s", response->head);
    response->state = IN_SIZE;
    return head - before;
}

static void
take_data(Response *response, const char *bytes, size_t size)
{
    response->bytes += size;
    response->lines += count_lines(bytes, size);
    if (response->output != NULL && fwrite(bytes, 1, size, response->output) != size)
        fail(EXIT_IO, "--output: %s", strerror(errno));
}

static int
hexadecimal(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
end_size_line(Response *response)
{
    if (response->digits == 0)
        fail(EXIT_PROTOCOL, "malformed chunk size after %" PRIu64 " body bytes", response->bytes);
    response->digits = 0;
    if (response->left == 0) {
        response->state = TRAILER;
    } else {
        response->chunks++;
        response->state = IN_DATA;
    }
}

static void
decode(Response *response, const char *at, size_t size)
{
    const char *end = at + size;
    response->wire += size;
    while (at < end) {
        switch (response->state) {
        case IN_HEAD: at += take_head(response, at, (size_t)(end - at)); break;
        case IN_SIZE: {
            int digit = hexadecimal(*at);
            if (digit < 0) {
                if (*at != '\r' && *at != '\n' && *at != ';' && *at != ' ')
                    fail(EXIT_PROTOCOL, "malformed chunk size after %" PRIu64 " body bytes",
                         response->bytes);
                response->state = IN_EXTENSION;
                break;
            }
            if (++response->digits > 15)
                fail(EXIT_PROTOCOL, "chunk size too large");
            response->left = response->left << 4 | (unsigned)digit;
            at++;
            break;
        }
        case IN_EXTENSION:
            if (*at++ == '\n')
                end_size_line(response);
            break;
        case IN_DATA: {
            size_t take = (size_t)(end - at);
            if (take > response->left)
                take = (size_t)response->left;
            take_data(response, at, take);
            at += take;
            response->left -= take;
            if (response->left == 0)
                response->state = AFTER_DATA;
            break;
        }
        case AFTER_DATA:
            if (*at == '\n')
                response->state = IN_SIZE;
            else if (*at != '\r')
                fail(EXIT_PROTOCOL, "a chunk is longer than its size says (body byte %" PRIu64 ")",
                     response->bytes);
            at++;
            break;
        case TRAILER:
            if (*at == '\n')
                response->state = DONE;
            else if (*at != '\r')
                response->state = TRAILER_LINE;
            at++;
            break;
        case TRAILER_LINE:
            if (*at++ == '\n')
                response->state = TRAILER;
            break;
        case DONE: fail(EXIT_PROTOCOL, "bytes after the terminating chunk");
        }
    }
}

#endif
