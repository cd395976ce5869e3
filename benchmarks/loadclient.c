/*
 * A load client for streaming HTTP/1.1 servers, designed not to be the bottleneck.
 *
 * It encodes the request body as HTTP chunks in advance and sends it in large writes, while the
 * same poll loop reads and decodes the chunked response. The report contains the number of bytes
 * sent and received; a response without its terminating chunk is an error.
 *
 * It uses a single thread, because on a small machine a second one would compete with the server.
 * It uses plain writes, because sendfile, although cheaper for the client, passes small pages that
 * make the server's reads more expensive.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "loadclient_options.h"
#include "loadclient_response.h"

/* ---- request body ------------------------------------------------------------------------- */

typedef struct {
    char *bytes;
    size_t size;
} Span;

static Span
read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(EXIT_IO, "%s: %s", path, strerror(errno));
    Span span = {NULL, 0};
    size_t room = 1 << 20, got;
    span.bytes = allocate(room);
    while ((got = fread(span.bytes + span.size, 1, room - span.size, file)) > 0) {
        span.size += got;
        if (span.size == room) {
            room *= 2;
            span.bytes = realloc(span.bytes, room);
            if (span.bytes == NULL)
                fail(EXIT_IO, "%s: out of memory", path);
        }
    }
    if (ferror(file))
        fail(EXIT_IO, "%s: %s", path, strerror(errno));
    fclose(file);
    if (span.size == 0 || span.bytes[span.size - 1] != '\n')
        fail(EXIT_USAGE, "%s: must hold lines, the last with its line end", path);
    return span;
}

/* Length of the line that starts here, including its LF. */
static size_t
line_size(const char *start, const char *end)
{
    return (size_t)((const char *)memchr(start, '\n', (size_t)(end - start)) + 1 - start);
}

/* The whole body as HTTP chunks, without the terminating one. */
static Span
frame_body(Span body, const Options *options)
{
    /* A chunk adds at most 16 hexadecimal digits and two line ends to its data. */
    const char *at = body.bytes, *end = body.bytes + body.size;
    size_t chunks = 0, size;
    for (; at < end; at += size, chunks++) {
        size = options->chunk_is_record ? line_size(at, end) : (size_t)options->chunk;
        if (size > (size_t)(end - at))
            size = (size_t)(end - at);
    }
    Span framed = {allocate(body.size + chunks * 20 + 1), 0};
    for (at = body.bytes; at < end; at += size) {
        size = options->chunk_is_record ? line_size(at, end) : (size_t)options->chunk;
        if (size > (size_t)(end - at))
            size = (size_t)(end - at);
        char *out = framed.bytes + framed.size;
        int head = sprintf(out, "%zx\r\n", size);
        memcpy(out + head, at, size);
        memcpy(out + head + size, "\r\n", 2);
        framed.size += (size_t)head + size + 2;
    }
    return framed;
}

/* ---- connection --------------------------------------------------------------------------- */

static int
dial(const Options *options)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(options->host, options->port, &hints, &found);
    if (error)
        fail(EXIT_IO, "%s:%s: %s", options->host, options->port, gai_strerror(error));
    int reason = 0;
    for (struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        int fd = socket(each->ai_family, each->ai_socktype, each->ai_protocol);
        if (fd >= 0 && connect(fd, each->ai_addr, each->ai_addrlen) == 0) {
            int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            freeaddrinfo(found);
            return fd;
        }
        reason = errno;
        if (fd >= 0)
            close(fd);
    }
    fail(EXIT_IO, "cannot connect to %s:%s: %s", options->host, options->port, strerror(reason));
    return -1;
}

static Span
request_head(const Options *options)
{
    size_t room = strlen(options->path) + strlen(options->host) + sizeof options->headers + 256;
    Span head = {allocate(room), 0};
    head.size = (size_t)snprintf(head.bytes, room,
                                 "POST %s HTTP/1.1\r\n"
                                 "Host: %s:%s\r\n"
                                 "Content-Type: application/x-ndjson\r\n"
                                 "Transfer-Encoding: chunked\r\n"
                                 "%s\r\n",
                                 options->path, options->host, options->port, options->headers);
    return head;
}

/* ---- modes -------------------------------------------------------------------------------- */

typedef struct {
    const Options *options;
    int fd;
    Response *response;
    char *buffer; /* READ_SIZE */
    int write_error;

    Span head, framed, tail;
    uint64_t repeats;
    uint64_t piece; /* 0: head, 1 .. repeats: body, repeats + 1: tail, beyond: all is sent */
    size_t offset;  /* in the piece */
} Exchange;

static bool
all_sent(const Exchange *exchange)
{
    return exchange->piece > exchange->repeats + 1;
}

/* One read; false if it would block. */
static bool
read_some(Exchange *exchange)
{
    ssize_t got = read(exchange->fd, exchange->buffer, READ_SIZE);
    if (got > 0) {
        decode(exchange->response, exchange->buffer, (size_t)got);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (exchange->write_error)
        fail(EXIT_IO, "connection lost while sending: %s", strerror(exchange->write_error));
    if (got < 0)
        fail(EXIT_IO, "connection lost after %" PRIu64 " body bytes: %s",
             exchange->response->bytes, strerror(errno));
    fail(EXIT_PROTOCOL, "the response was cut after %" PRIu64 " body bytes, %" PRIu64
         " lines: no terminating chunk", exchange->response->bytes, exchange->response->lines);
    return false;
}

/* One write; false if it would block. */
static bool
write_some(Exchange *exchange)
{
    const Span *span = exchange->piece == 0 ? &exchange->head
                       : exchange->piece <= exchange->repeats ? &exchange->framed
                                                              : &exchange->tail;
    size_t size = span->size - exchange->offset;
    if (size > WRITE_SIZE)
        size = WRITE_SIZE;
    ssize_t sent = write(exchange->fd, span->bytes + exchange->offset, size);
    if (sent < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return false;
        /* The server may have responded before it closed the connection: report that response. */
        exchange->write_error = errno;
        return false;
    }
    exchange->offset += (size_t)sent;
    if (exchange->offset == span->size) {
        exchange->offset = 0;
        exchange->piece++;
    }
    return true;
}

/* Framed body bytes sent so far, also while the client was not reading. */
static uint64_t
framed_sent(const Exchange *exchange)
{
    if (exchange->piece == 0)
        return 0;
    if (exchange->piece > exchange->repeats)
        return exchange->repeats * exchange->framed.size;
    return (exchange->piece - 1) * exchange->framed.size + exchange->offset;
}

static void
run_throughput(Exchange *exchange, Span body)
{
    const Options *options = exchange->options;
    Response *response = exchange->response;
    exchange->framed = frame_body(body, options);
    exchange->tail = (Span){(char *)"0\r\n\r\n", 5};
    exchange->repeats =
        options->total ? (options->total + body.size - 1) / body.size : options->repeat;
    if (fcntl(exchange->fd, F_SETFL, fcntl(exchange->fd, F_GETFL) | O_NONBLOCK) < 0)
        fail(EXIT_IO, "fcntl: %s", strerror(errno));

    bool stop_is_ahead = options->mode == STOP;
    double stopped_until = 0, stopped_for = 0;
    uint64_t sent_at_stop = 0, sent_while_stopped = 0;
    double cpu_start = cpu_seconds(), start = now(), progress = start;
    while (response->state != DONE) {
        if (stop_is_ahead && response->bytes >= options->stop_after) {
            stop_is_ahead = false;
            sent_at_stop = framed_sent(exchange);
            stopped_for = now();
            stopped_until = stopped_for + options->stop_seconds;
            fprintf(stderr, "stopped reading after %" PRIu64 " body bytes\n", response->bytes);
        }
        bool reading = stopped_until == 0;
        bool writing = !all_sent(exchange) && !exchange->write_error;
        double limit = reading ? progress + options->timeout : stopped_until;
        double patience = limit - now();
        if (!reading && patience <= 0) {
            progress = now();
            stopped_for = progress - stopped_for;
            stopped_until = 0;
            sent_while_stopped = framed_sent(exchange) - sent_at_stop;
            fprintf(stderr, "reading again\n");
            continue;
        }
        struct pollfd entry = {.fd = exchange->fd};
        entry.events = (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0));
        /* Without any requested event, poll would return immediately forever if the peer closed. */
        int ready = poll(&entry, entry.events ? 1 : 0, patience > 0 ? (int)(patience * 1e3) + 1 : 0);
        if (ready < 0 && errno != EINTR)
            fail(EXIT_IO, "poll: %s", strerror(errno));
        if (ready <= 0) {
            if (reading && now() >= limit)
                fail(EXIT_TIMEOUT, "no progress for %.1f seconds (%" PRIu64 " body bytes received)",
                     options->timeout, response->bytes);
            continue;
        }
        bool moved = false;
        if (writing && (entry.revents & (POLLOUT | POLLERR | POLLHUP)))
            moved |= write_some(exchange);
        if (reading && (entry.revents & (POLLIN | POLLERR | POLLHUP)))
            moved |= read_some(exchange);
        if (moved && reading)
            progress = now();
    }
    double seconds = now() - start, cpu = cpu_seconds() - cpu_start;
    if (!all_sent(exchange))
        fail(EXIT_PROTOCOL, "the response ended before the request was sent");

    uint64_t sent = exchange->repeats * body.size;
    printf("{\"mode\": \"%s\", \"seconds\": %.6f, \"mb_per_s\": %.3f, \"bytes_sent\": %" PRIu64
           ", \"lines_sent\": %" PRIu64 ", \"bytes_received\": %" PRIu64
           ", \"lines_received\": %" PRIu64 ", \"chunks_received\": %" PRIu64
           ", \"client_cpu_seconds\": %.6f",
           options->mode_name, seconds, (double)sent / seconds * 1e-6, sent,
           exchange->repeats * count_lines(body.bytes, body.size), response->bytes,
           response->lines, response->chunks, cpu);
    if (options->mode == STOP) {
        if (stop_is_ahead)
            fail(EXIT_USAGE, "the response ended before --stop-after was reached");
        printf(", \"stopped_seconds\": %.3f, \"wire_bytes_sent_while_stopped\": %" PRIu64,
               stopped_for, sent_while_stopped);
    }
    puts("}");
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void
write_all(const Exchange *exchange, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = write(exchange->fd, bytes, size);
        if (sent < 0 && errno != EINTR)
            fail(EXIT_IO, "connection lost while sending: %s", strerror(errno));
        if (sent > 0)
            bytes += sent, size -= (size_t)sent;
    }
}

static void
run_latency(Exchange *exchange, Span body)
{
    const Options *options = exchange->options;
    Response *response = exchange->response;
    const char *at = body.bytes, *end = body.bytes + body.size;
    double *samples = allocate(options->count * sizeof *samples);
    char *framed = allocate(body.size + 32);
    struct timeval patience = {.tv_sec = (time_t)options->timeout,
                               .tv_usec = (suseconds_t)(options->timeout * 1e6) % 1000000};

    /* A blocking read is a single call, instead of poll and read. */
    setsockopt(exchange->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    write_all(exchange, exchange->head.bytes, exchange->head.size);
    for (uint64_t i = 0; i < options->warmup + options->count; i++) {
        size_t size = line_size(at, end);
        size_t head = (size_t)sprintf(framed, "%zx\r\n", size);
        memcpy(framed + head, at, size);
        memcpy(framed + head + size, "\r\n", 2);
        double start = now();
        write_all(exchange, framed, head + size + 2);
        while (response->lines <= i)
            if (!read_some(exchange))
                fail(EXIT_TIMEOUT, "no result for record %" PRIu64, i + 1);
        double stop = now();
        if (response->lines != i + 1)
            fail(EXIT_PROTOCOL, "more results than records after record %" PRIu64, i + 1);
        if (i >= options->warmup)
            samples[i - options->warmup] = (stop - start) * 1e6;
        at += size;
        if (at == end)
            at = body.bytes;
    }
    write_all(exchange, "0\r\n\r\n", 5);
    while (response->state != DONE)
        if (!read_some(exchange))
            fail(EXIT_TIMEOUT, "the response does not end");
    qsort(samples, options->count, sizeof *samples, compare);
    printf("{\"mode\": \"latency\", \"records\": %" PRIu64 ", \"min_us\": %.2f, \"p50_us\": %.2f, "
           "\"p99_us\": %.2f, \"max_us\": %.2f}\n",
           options->count, samples[0], samples[options->count / 2],
           samples[(uint64_t)((double)(options->count - 1) * 0.99)],
           samples[options->count - 1]);
}

int
main(int argc, char **argv)
{
    static Response response;
    Options options = parse_options(argc, argv);
    Span body = read_file(options.body_path);
    signal(SIGPIPE, SIG_IGN);
    if (options.output_path != NULL) {
        response.output = fopen(options.output_path, "wb");
        if (response.output == NULL)
            fail(EXIT_IO, "%s: %s", options.output_path, strerror(errno));
    }
    Exchange exchange = {
        .options = &options,
        .response = &response,
        .buffer = allocate(READ_SIZE),
        .fd = dial(&options),
        .head = request_head(&options),
    };
    if (options.mode == LATENCY)
        run_latency(&exchange, body);
    else
        run_throughput(&exchange, body);
    if (response.output != NULL && fclose(response.output) != 0)
        fail(EXIT_IO, "%s: %s", options.output_path, strerror(errno));
    close(exchange.fd);
    return 0;
}
