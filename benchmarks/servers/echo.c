/*
 * The floor: the least an HTTP/1.1 server can do with a streamed body.
 *
 * Answers a chunked POST to any path with a chunked response that echoes the body's bytes as they
 * come: one read, one decode in place, one write. One connection at a time, blocking, no options
 * but the port. Not a server for anything but measuring.
 *
 * Built with -DRECORDS it turns records into results instead, as plainly as C allows: memchr for
 * the ends, one pass that the compiler makes vectors of to see that a string is ASCII without
 * escapes. It takes no other records, where the measured server takes all of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 256 * 1024,
    PREFIX = 16, /* room before the data for the size line of our chunk */
    SUFFIX = 8,  /* room after it for CR LF and the terminating chunk */
};

static const char RESPONSE[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: application/octet-stream\r\n"
                               "Transfer-Encoding: chunked\r\n"
                               "\r\n";

typedef enum { IN_SIZE, IN_EXTENSION, IN_DATA, AFTER_DATA, LAST, DONE, BROKEN } State;

typedef struct {
    State state;
    uint64_t left;
    bool line_empty; /* LAST: nothing but CR in this line so far */
} Decoder;

static int
hexadecimal(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Moves the data of all chunks to the front of the buffer; returns its size. */
static size_t
decode(Decoder *decoder, char *buffer, size_t size)
{
    char *at = buffer, *end = buffer + size, *out = buffer;
    while (at < end && decoder->state != DONE && decoder->state != BROKEN) {
        switch (decoder->state) {
        case IN_SIZE: {
            int digit = hexadecimal(*at);
            if (digit >= 0 && decoder->left >> 56 == 0) {
                decoder->left = decoder->left << 4 | (unsigned)digit;
                at++;
            } else {
                decoder->state = digit < 0 ? IN_EXTENSION : BROKEN;
            }
            break;
        }
        case IN_EXTENSION:
            if (*at++ == '\n') {
                decoder->state = decoder->left ? IN_DATA : LAST;
                decoder->line_empty = true;
            }
            break;
        case IN_DATA: {
            size_t take = (size_t)(end - at);
            if (take > decoder->left)
                take = (size_t)decoder->left;
            memmove(out, at, take);
            out += take;
            at += take;
            decoder->left -= take;
            if (decoder->left == 0)
                decoder->state = AFTER_DATA;
            break;
        }
        case AFTER_DATA:
            decoder->state = *at == '\n' ? IN_SIZE : *at == '\r' ? AFTER_DATA : BROKEN;
            at++;
            break;
        case LAST:
            if (*at == '\n') {
                if (decoder->line_empty)
                    decoder->state = DONE;
                decoder->line_empty = true;
            } else if (*at != '\r') {
                decoder->line_empty = false;
            }
            at++;
            break;
        case DONE:
        case BROKEN: break;
        }
    }
    return (size_t)(out - buffer);
}

static bool
write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = write(fd, bytes, size);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0)
            bytes += sent, size -= (size_t)sent;
    }
    return true;
}

#ifdef RECORDS

enum { LINE_MAX_SIZE = 1 << 16 };

static char results[PREFIX + 4 * READ_SIZE + LINE_MAX_SIZE];
static char tail[LINE_MAX_SIZE];
static size_t tail_size;

static bool
plain(const char *at, const char *end)
{
    unsigned char wrong = 0;
    for (; at < end; at++)
        wrong |= (unsigned char)((*at < 0x20) | (*at == 0x7F) | (*at == '\\'));
    return wrong == 0;
}

static char *
put(char *out, const char *bytes, size_t size)
{
    memcpy(out, bytes, size);
    return out + size;
}

/* Writes the result of the line [at, end), its LF not counted; NULL where it is no record. */
static char *
process_line(char *out, const char *at, const char *end)
{
    static const char head[] = "{\"id\":\"", middle[] = "\",\"data\":\"";
    const size_t head_size = sizeof head - 1, middle_size = sizeof middle - 1;
    if ((size_t)(end - at) < head_size + middle_size + 2 || memcmp(at, head, head_size) != 0)
        return NULL;
    const char *id = at + head_size;
    const char *id_end = memchr(id, '"', (size_t)(end - id));
    if (id_end == NULL || (size_t)(end - id_end) < middle_size + 2
        || memcmp(id_end, middle, middle_size) != 0)
        return NULL;
    const char *data = id_end + middle_size;
    const char *data_end = memchr(data, '"', (size_t)(end - data));
    if (data_end == NULL || data_end + 2 != end || data_end[1] != '}' || !plain(id, id_end)
        || !plain(data, data_end))
        return NULL;
    out = put(out, head, head_size);
    out = put(out, id, (size_t)(id_end - id));
    out = put(out, "\",\"result\":\"processed_", 22);
    out = put(out, data, (size_t)(data_end - data));
    return put(out, "\",\"status\":\"success\"}\n", 22);
}

/* Results of the lines that end in the data; what is left of it becomes the tail. */
static char *
process(char *out, const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    if (tail_size && lf) {
        if ((size_t)(lf - at) + tail_size > LINE_MAX_SIZE)
            return NULL;
        memcpy(tail + tail_size, at, (size_t)(lf - at));
        out = process_line(out, tail, tail + tail_size + (lf - at));
        tail_size = 0;
        at = lf + 1;
        lf = memchr(at, '\n', (size_t)(end - at));
    }
    while (lf && out) {
        out = process_line(out, at, lf);
        at = lf + 1;
        lf = memchr(at, '\n', (size_t)(end - at));
    }
    if ((size_t)(end - at) + tail_size > LINE_MAX_SIZE / 2)
        return NULL;
    memcpy(tail + tail_size, at, (size_t)(end - at));
    tail_size += (size_t)(end - at);
    return out;
}

#endif

/* Frames and sends what was decoded; the terminating chunk goes with the last of it. */
static bool
answer(int fd, char *data, size_t size, bool last)
{
    char *start = data, *end = data + size;
    if (size) {
        char line[PREFIX + 1];
        int head = snprintf(line, sizeof line, "%zx\r\n", size);
        start -= head;
        memcpy(start, line, (size_t)head);
        memcpy(end, "\r\n", 2);
        end += 2;
    }
    if (last) {
        memcpy(end, "0\r\n\r\n", 5);
        end += 5;
    }
    return write_all(fd, start, (size_t)(end - start));
}

/* One request after the other until the client closes. */
static void
serve(int fd, char *buffer)
{
    char *data = buffer + PREFIX;
    for (;;) {
        /* The head, and perhaps the first bytes of the body behind it. */
        size_t size = 0;
        char *end = NULL;
        while (end == NULL) {
            ssize_t got = read(fd, data + size, READ_SIZE - size);
            if (got <= 0)
                return;
            size += (size_t)got;
            data[size] = '\0';
            end = strstr(data, "\r\n\r\n");
        }
        end += 4;
        size -= (size_t)(end - data);
        memmove(data, end, size);
        if (!write_all(fd, RESPONSE, sizeof RESPONSE - 1))
            return;
        Decoder decoder = {.state = IN_SIZE};
        for (;;) {
            size_t decoded = decode(&decoder, data, size);
            if (decoder.state == BROKEN)
                return;
#ifdef RECORDS
            char *out = results + PREFIX;
            char *out_end = process(out, data, data + decoded);
            if (out_end == NULL)
                return;
            decoded = (size_t)(out_end - out);
#else
            char *out = data;
#endif
            if (!answer(fd, out, decoded, decoder.state == DONE))
                return;
            if (decoder.state == DONE)
                break;
            ssize_t got = read(fd, data, READ_SIZE);
            if (got <= 0)
                return;
            size = (size_t)got;
        }
    }
}

int
main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "--port") != 0) {
        fputs("usage: echo --port PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0
        || listen(listener, 16) < 0) {
        perror("echo");
        return 3;
    }
    printf("listening on 127.0.0.1:%s\n", argv[2]);
    fflush(stdout);
    char *buffer = malloc(PREFIX + READ_SIZE + SUFFIX);
    if (buffer == NULL)
        return 3;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        serve(fd, buffer);
        close(fd);
    }
}
