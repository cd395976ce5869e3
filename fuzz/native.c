/* A native processor that writes everything the C interface provides about a record. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forstcore.h"

typedef struct name {
    const char *start;
    ptrdiff_t size;
} name;

#define NAME(literal) {literal, (ptrdiff_t)sizeof(literal) - 1}

/* The same as NAMES in model.py. */
static const name names[] = {
    NAME("id"), NAME("data"),     NAME("a"),
    NAME("v"),  NAME("b"),        NAME(""),
    NAME("é"),  NAME("q\""),      NAME("\0"),
    NAME("😀"), NAME("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), NAME("nowhere"),
};

static void
put_flag(fst_output *out, int flag)
{
    FST_PUT(out, ",");
    fst_put_integer(out, flag);
}

/* Writes the properties of a value: kind, size, plain, value, escaped, text, integer, number. */
static void
tell_value(const fst_record *record, fst_value value, fst_output *out)
{
    int64_t integer;
    double number;
    char *text;
    FST_PUT(out, "[");
    fst_put_integer(out, value.kind);
    put_flag(out, (int)value.text.size);
    put_flag(out, value.plain);
    FST_PUT(out, ",");
    /* Write containers and scalars as strings, to stay within the depth limit of JSON readers. */
    if (value.kind == FST_STRING) {
        fst_put_value(out, value);
    } else if (value.kind == FST_ARRAY || value.kind == FST_OBJECT) {
        fst_put_string(out, value.text.start, value.text.size);
    } else {
        FST_PUT(out, "\"");
        fst_put_raw(out, value);
        FST_PUT(out, "\"");
    }
    put_flag(out, fst_is_escaped(value));
    FST_PUT(out, ",");
    if (value.kind == FST_STRING) {
        /* Allocate exactly the documented maximum, so that the sanitizer detects an overrun. */
        text = malloc((size_t)value.text.size);
        fst_put_string(out, text, fst_text(record, value, text));
        free(text);
    } else {
        FST_PUT(out, "null");
    }
    FST_PUT(out, ",");
    if (fst_integer(value, &integer))
        fst_put_integer(out, integer);
    else
        FST_PUT(out, "null");
    FST_PUT(out, ",");
    if (fst_number(value, &number))
        fst_put_number(out, number);
    else
        FST_PUT(out, "null");
    FST_PUT(out, "]");
}

/* Writes the record in canonical form, as a string for the same reason as above. */
static void
tell_canonical(const fst_record *record, fst_output *out)
{
    ptrdiff_t start = out->at - out->line, size;
    char *text;
    fst_put_canonical(record, out, fst_root(record));
    size = out->at - out->line - start;
    text = malloc((size_t)size);
    memcpy(text, out->line + start, (size_t)size);
    out->at = out->line + start;
    fst_put_string(out, text, size);
    free(text);
}

static void
tell_record(const fst_record *record, fst_output *out)
{
    size_t i;
    int j;
    fst_value raw;
    FST_PUT(out, "{\"line\":");
    fst_put_integer(out, record->line);
    FST_PUT(out, ",\"size\":");
    fst_put_integer(out, record->text.size);
    FST_PUT(out, ",\"more\":");
    fst_put_integer(out, record->more);
    FST_PUT(out, ",\"members\":[");
    for (j = 0; j < record->count; j++) {
        const fst_member *member = &record->members[j];
        raw.text = member->name;
        raw.kind = FST_STRING;
        raw.plain = member->plain;
        if (j)
            FST_PUT(out, ",");
        tell_value(record, raw, out);
        FST_PUT(out, ",");
        tell_value(record, member->value, out);
    }
    FST_PUT(out, "],\"found\":[");
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        if (i)
            FST_PUT(out, ",");
        tell_value(record, fst_find(record, names[i].start, names[i].size), out);
    }
    FST_PUT(out, "],\"canonical\":");
    tell_canonical(record, out);
    FST_PUT(out, "}");
    fst_end(out);
}

/* Writes the description of the record "times" times, by default once. Refuses the record with the
 * message "why" if present, and leaves a result unterminated if there is a member "half". */
static int
tell(void *state, const fst_record *record, fst_output *out)
{
    fst_value why = FST_FIND(record, "why");
    int64_t times = 1;
    char *text;
    (void)state;
    for (fst_integer(FST_FIND(record, "times"), &times); times > 0 && times <= 50; times--)
        tell_record(record, out);
    if (FST_FIND(record, "half").kind != FST_ABSENT)
        FST_PUT(out, "[");
    if (why.kind != FST_STRING)
        return FST_OK;
    text = malloc((size_t)why.text.size + 1);
    text[fst_text(record, why, text)] = '\0';
    fst_fail(out, text);
    free(text);
    return FST_FAILED;
}

static const fst_processor tell_processor = {FST_ABI, sizeof(fst_processor), "tell", NULL,
                                             NULL,    tell};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "native", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit_native(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *capsule = PyCapsule_New((void *)&tell_processor, FST_CAPSULE, NULL);
    if (made == NULL || capsule == NULL || PyModule_AddObject(made, "tell", capsule) < 0)
        return NULL;
    return made;
}
