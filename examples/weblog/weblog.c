/*
 * Requests that failed, from the log of a web server: for a record such as
 *
 *     {"ts": "2026-11-01T00:00:00.123Z", "id": "9f86d081884c7d65",
 *      "request": {"method": "GET", "path": "/users/17/Cart/?page=2", "start": 1.5, "end": 1.75},
 *      "response": {"status": 502}, "client": {"country": "CL", "city": "Arica"}, ...}
 *
 * it writes
 *
 *     {"time":"2026-11-01T00:00:00.123Z","trace":"9f86d081884c7d65","method":"GET",
 *      "route":"/users/:id/cart","status":502,"ms":250,"country":"Chile","city":"Arica"}
 *
 * and for a status below 500 nothing.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "forstcore.h"

/* The values that are read, in the order of `TEXTS`. */
enum { TIME, TRACE, METHOD, PATH, START, END, STATUS, COUNTRY, CITY, PATHS };

static const char *const TEXTS[PATHS] = {
    "ts",          "id",              "request.method", "request.path", "request.start",
    "request.end", "response.status", "client.country", "client.city",
};

typedef struct weblog_state {
    fst_path paths[PATHS];
    char *text;         /* the path of a request, unescaped */
    ptrdiff_t room;
} weblog_state;

static void *
create(void)
{
    weblog_state *state = calloc(1, sizeof *state);
    for (int i = 0; state != NULL && i < PATHS; i++)
        state->paths[i] = fst_path_of(TEXTS[i]);
    return state;
}

static void
destroy(void *state)
{
    free(((weblog_state *)state)->text);
    free(state);
}

/* Sorted by code. */
static const struct country {
    char code[3];
    const char *name;
} COUNTRIES[] = {
    {"AR", "Argentina"}, {"AT", "Austria"}, {"AU", "Australia"}, {"BE", "Belgium"},
    {"BR", "Brazil"}, {"CA", "Canada"}, {"CH", "Switzerland"}, {"CL", "Chile"},
    {"CN", "China"}, {"CO", "Colombia"}, {"CZ", "Czechia"}, {"DE", "Germany"},
    {"DK", "Denmark"}, {"EG", "Egypt"}, {"ES", "Spain"}, {"FI", "Finland"},
    {"FR", "France"}, {"GB", "United Kingdom"}, {"GR", "Greece"}, {"ID", "Indonesia"},
    {"IN", "India"}, {"IT", "Italy"}, {"JP", "Japan"}, {"KR", "South Korea"},
    {"MX", "Mexico"}, {"MY", "Malaysia"}, {"NG", "Nigeria"}, {"NL", "Netherlands"},
    {"NO", "Norway"}, {"PH", "Philippines"}, {"PL", "Poland"}, {"PT", "Portugal"},
    {"RU", "Russia"}, {"SE", "Sweden"}, {"SG", "Singapore"}, {"TH", "Thailand"},
    {"TR", "Türkiye"}, {"US", "United States"}, {"VN", "Vietnam"}, {"ZA", "South Africa"},
};

static int
compare_code(const void *code, const void *country)
{
    return memcmp(code, ((const struct country *)country)->code, 2);
}

static const char *
country_name(fst_value code)
{
    const struct country *found = NULL;
    if (code.kind == FST_STRING && code.text.size == 2)
        found = bsearch(code.text.start, COUNTRIES, sizeof COUNTRIES / sizeof *COUNTRIES,
                        sizeof *COUNTRIES, compare_code);
    return found != NULL ? found->name : "Unknown";
}

static int
is_number(const char *text, ptrdiff_t size)
{
    for (ptrdiff_t i = 0; i < size; i++)
        if (!isdigit((unsigned char)text[i]))
            return 0;
    return size > 0;
}

static int
is_uuid(const char *text, ptrdiff_t size)
{
    static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (size != sizeof pattern - 1)
        return 0;
    for (ptrdiff_t i = 0; i < size; i++)
        if (pattern[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != '-')
            return 0;
    return 1;
}

/* Writes a request path without its query, in lower case, with placeholders for IDs; returns
 * whether there was memory for it. */
static int
put_route(weblog_state *state, const fst_record *record, fst_output *out, fst_value path)
{
    char *text, *end;
    if (state->room < path.text.size) {
        text = realloc(state->text, (size_t)path.text.size);
        if (text == NULL)
            return 0;
        state->text = text;
        state->room = path.text.size;
    }
    text = end = state->text;
    for (ptrdiff_t left = fst_text(record, path, text); left > 0 && *end != '?'; left--, end++)
        if (*end >= 'A' && *end <= 'Z')
            *end |= 0x20;
    while (end > text && end[-1] == '/')
        end--;
    FST_PUT(out, "\"");
    if (text == end)
        FST_PUT(out, "/");
    while (text < end) {
        const char *name = *text == '/' ? text + 1 : text;
        const char *next = memchr(name, '/', (size_t)(end - name));
        if (next == NULL)
            next = end;
        fst_put(out, text, name - text);
        if (is_number(name, next - name))
            FST_PUT(out, ":id");
        else if (is_uuid(name, next - name))
            FST_PUT(out, ":uuid");
        else
            fst_put_escaped(out, name, next - name);
        text += next - text;
    }
    FST_PUT(out, "\"");
    return 1;
}

static int
process(void *memory, const fst_record *record, fst_output *out)
{
    weblog_state *state = memory;
    fst_path *paths = state->paths;
    fst_value path;
    int64_t status;
    double start, end, ms;
    if (!fst_integer(fst_find_path(record, &paths[STATUS]), &status))
        return fst_fail(out, "no response.status");
    if (status < 500)
        return FST_OK;
    if (!fst_number(fst_find_path(record, &paths[START]), &start)
        || !fst_number(fst_find_path(record, &paths[END]), &end))
        return fst_fail(out, "no request.start or request.end");
    ms = rint((end - start) * 1000);
    if (!(fabs(ms) < 1e15))
        return fst_fail(out, "request.start and request.end are too far apart");
    path = fst_find_path(record, &paths[PATH]);
    if (path.kind != FST_STRING)
        return fst_fail(out, "no request.path");

    FST_PUT(out, "{\"time\":");
    fst_put_canonical(record, out, fst_find_path(record, &paths[TIME]));
    FST_PUT(out, ",\"trace\":");
    fst_put_canonical(record, out, fst_find_path(record, &paths[TRACE]));
    FST_PUT(out, ",\"method\":");
    fst_put_canonical(record, out, fst_find_path(record, &paths[METHOD]));
    FST_PUT(out, ",\"route\":");
    if (!put_route(state, record, out, path))
        return fst_fail(out, "no memory for request.path");
    FST_PUT(out, ",\"status\":");
    fst_put_integer(out, status);
    FST_PUT(out, ",\"ms\":");
    fst_put_integer(out, (int64_t)ms);
    FST_PUT(out, ",\"country\":");
    const char *country = country_name(fst_find_path(record, &paths[COUNTRY]));
    fst_put_string(out, country, (ptrdiff_t)strlen(country));
    FST_PUT(out, ",\"city\":");
    fst_put_canonical(record, out, fst_find_path(record, &paths[CITY]));
    FST_PUT(out, "}");
    fst_end(out);
    return FST_OK;
}

/* weblog.py looks it up by this name. */
extern const fst_processor weblog;
const fst_processor weblog = {FST_ABI, sizeof weblog, "weblog", create, destroy, process};
