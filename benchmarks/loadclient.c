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
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    EXIT_IO = 3,
    EXIT_PROTOCOL = 4,
    EXIT_TIMEOUT = 5,

    HEAD_MAX = 64 * 1024,
    READ_SIZE = 256 * 1024,
    WRITE_SIZE = 256 * 1024,
};

static const char USAGE[] =
    "usage: loadclient MODE [options] HOST PORT PATH\n"
    "\n"
    "POSTs an NDJSON file over one connection with Transfer-Encoding: chunked, reads the chunked\n"
    "response at the same time, and prints one JSON object about it.\n"
    "\n"
    "modes\n"
    "  throughput   send as fast as the server takes it\n"
    "  latency      send one record as one HTTP chunk, wait for one result line, and again\n"
    "  stop         as throughput, but stop reading for a while (sending goes on)\n"
    "\n"
    "options\n"
    "  --body FILE          NDJSON to send (required; must end with a line end)\n"
    "  --chunk SIZE|record  bytes in an HTTP chunk, or one record in each (default 65536)\n"
    "  --repeat N           send the file N times (default 1)\n"
    "  --total BYTES        send the file until at least so many bytes (instead of --repeat)\n"
    "  --count N            latency: records to time (default 20000)\n"
    "  --warmup N           latency: records to send before (default 1000)\n"
    "  --stop-after BYTES   stop: response bytes to read first (default 1000000)\n"
    "  --stop-seconds S     stop: how long not to read (default 5)\n"
    "  --header 'N: V'      a further request header; may be repeated\n"
    "  --output FILE        write the decoded response body to FILE\n"
    "  --timeout S          give up after so long without progress (default 30)\n"
    "  --help               this text\n"
    "\n"
    "exit status: 0 done, 2 usage, 3 input/output, 4 not the HTTP that was expected (status not\n"
    "200, malformed or cut response), 5 no progress\n"
    "\n"
    "example: loadclient throughput --body records.ndjson --total 1000000000 --chunk record \\\n"
    "             127.0.0.1 8080 /streaming-process\n";

/* Exits with a message and the exit status `code`. */
static void
fail(int code, const char *format, ...)
{
    va_list arguments;
    fputs("loadclient: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(code);
}

static void *
allocate(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (memory == NULL)
        fail(EXIT_IO, "out of memory (%zu bytes)", size);
    return memory;
}

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double
cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* ---- options ------------------------------------------------------------------------------ */

typedef enum { THROUGHPUT, LATENCY, STOP } Mode;

typedef struct {
    Mode mode;
    const char *mode_name;
    const char *host, *port, *path;
    const char *body_path;
    const char *output_path;
    bool chunk_is_record;
    uint64_t chunk;
    uint64_t repeat;
    uint64_t total;      /* 0: `repeat` counts */
    uint64_t count, warmup;
    uint64_t stop_after; /* response bytes */
    double stop_seconds;
    double timeout;
    char headers[4096];  /* additional request headers, each with CRLF */
} Options;

static uint64_t
natural(const char *name, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-')
        fail(EXIT_USAGE, "%s wants a whole number, not '%s'", name, text);
    return value;
}

static double
duration(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= 0 && value < 1e6))
        fail(EXIT_USAGE, "%s wants seconds, not '%s'", name, text);
    return value;
}

static Options
parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"body", required_argument, NULL, 'b'},
        {"chunk", required_argument, NULL, 'c'},
        {"repeat", required_argument, NULL, 'r'},
        {"total", required_argument, NULL, 't'},
        {"count", required_argument, NULL, 'n'},
        {"warmup", required_argument, NULL, 'w'},
        {"stop-after", required_argument, NULL, 'a'},
        {"stop-seconds", required_argument, NULL, 's'},
        {"header", required_argument, NULL, 'H'},
        {"output", required_argument, NULL, 'o'},
        {"timeout", required_argument, NULL, 'T'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static const char *const modes[] = {"throughput", "latency", "stop"};
    Options options = {
        .chunk = 65536, .repeat = 1, .count = 20000, .warmup = 1000,
        .stop_after = 1000000, .stop_seconds = 5, .timeout = 30,
    };
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(USAGE, stdout);
        exit(0);
    }
    if (argc < 2)
        fail(EXIT_USAGE, "wants a mode; try loadclient --help");
    options.mode_name = argv[1];
    for (options.mode = THROUGHPUT; strcmp(argv[1], modes[options.mode]) != 0; options.mode++)
        if (options.mode == STOP)
            fail(EXIT_USAGE, "the mode is throughput, latency or stop, not '%s'", argv[1]);

    /* Pass the mode to getopt in place of the program's name. */
    argc--, argv++;
    size_t headers = 0;
    int letter;
    while ((letter = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        switch (letter) {
        case 'b': options.body_path = optarg; break;
        case 'c':
            options.chunk_is_record = strcmp(optarg, "record") == 0;
            if (!options.chunk_is_record)
                options.chunk = natural("--chunk", optarg);
            break;
        case 'r': options.repeat = natural("--repeat", optarg); break;
        case 't': options.total = natural("--total", optarg); break;
        case 'n': options.count = natural("--count", optarg); break;
        case 'w': options.warmup = natural("--warmup", optarg); break;
        case 'a': options.stop_after = natural("--stop-after", optarg); break;
        case 's': options.stop_seconds = duration("--stop-seconds", optarg); break;
        case 'H': {
            int size = snprintf(options.headers + headers, sizeof options.headers - headers,
                                "%s\r\n", optarg);
            if (size < 0 || (size_t)size >= sizeof options.headers - headers)
                fail(EXIT_USAGE, "--header: too long");
            headers += (size_t)size;
            break;
        }
        case 'o': options.output_path = optarg; break;
        case 'T': options.timeout = duration("--timeout", optarg); break;
        case 'h': fputs(USAGE, stdout); exit(0);
        default: fputs("try loadclient --help\n", stderr); exit(EXIT_USAGE);
        }
    }
    if (argc - optind != 3)
        fail(EXIT_USAGE, "wants MODE [options] HOST PORT PATH; try loadclient --help");
    options.host = argv[optind];
    options.port = argv[optind + 1];
    options.path = argv[optind + 2];
    if (options.body_path == NULL)
        fail(EXIT_USAGE, "--body is required");
    if (options.chunk == 0)
        fail(EXIT_USAGE, "--chunk must be at least 1");
    if (options.repeat == 0)
        fail(EXIT_USAGE, "--repeat must be at least 1");
    if (options.mode == LATENCY && options.count == 0)
        fail(EXIT_USAGE, "--count must be at least 1");
    return options;
}

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

/* ---- response ----------------------------------------------------------------------------- */

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
