/* Options of the load client, and what all of it uses: errors, memory, time. */
#ifndef LOADCLIENT_OPTIONS_H
#define LOADCLIENT_OPTIONS_H

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

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

#endif
