/* Native processors that read all of a record, by each of the ways there are to its values. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forstcore.h"

enum { ROOM = 1 << 20 };

/* ---------------------------------------------------------------- iteration */

/* Checks fst_is against fst_text; returns whether they agree. */
static int
is_consistent(const fst_record *record, fst_value string)
{
    char *text = malloc((size_t)string.text.size + 2);
    ptrdiff_t size = fst_text(record, string, text);
    int consistent = 1;
    text[size] = '\0';
    if (strlen(text) == (size_t)size) {
        consistent = fst_is(record, string, text);
        text[size] = 'x';
        text[size + 1] = '\0';
        consistent &= !fst_is(record, string, text);
        text[size] = '\0';
        if (size > 0) {
            text[size - 1] ^= 1;
            consistent &= !fst_is(record, string, text);
            text[size - 1] = '\0';
            consistent &= !fst_is(record, string, text);
        }
    }
    free(text);
    return consistent;
}

/* Writes ["object", [name, value], ...] or ["array", ["", value], ...], duplicates included. */
static int
put_items(const fst_record *record, fst_output *out, fst_value value)
{
    fst_items items = fst_iterate(record, value);
    fst_member item;
    if (value.kind == FST_OBJECT)
        FST_PUT(out, "[\"object\"");
    else if (value.kind == FST_ARRAY)
        FST_PUT(out, "[\"array\"");
    else {
        fst_put_value(out, value);
        return !fst_next(&items, &item)
               && (value.kind == FST_STRING ? is_consistent(record, value)
                                            : !fst_is(record, value, ""));
    }
    while (fst_next(&items, &item)) {
        FST_PUT(out, ",[");
        fst_put_value(out, fst_name(&item));
        FST_PUT(out, ",");
        if (!is_consistent(record, fst_name(&item)) || !put_items(record, out, item.value))
            return 0;
        FST_PUT(out, "]");
    }
    FST_PUT(out, "]");
    return !fst_next(&items, &item);
}

static int
items(void *state, const fst_record *record, fst_output *out)
{
    (void)state;
    if (!put_items(record, out, fst_root(record)))
        return fst_fail(out, "fst_is or fst_next is wrong");
    fst_end(out);
    return FST_OK;
}

/* ---------------------------------------------------------------- one level at a time */

/* Writes the value, after reading each part of it with fst_get or fst_element. */
static void
put_parts(const fst_record *record, fst_output *out, fst_value value)
{
    const char *separator = "";
    if (value.kind == FST_OBJECT) {
        fst_items items = fst_iterate(record, value);
        fst_member item;
        FST_PUT(out, "{");
        while (fst_next(&items, &item)) {
            char *name = malloc((size_t)item.name.size + 1);
            ptrdiff_t size = fst_text(record, fst_name(&item), name);
            fst_put(out, separator, *separator == ',');
            fst_put_string(out, name, size);
            FST_PUT(out, ":");
            put_parts(record, out, fst_get(record, value, name, size));
            free(name);
            separator = ",";
        }
        FST_PUT(out, "}");
    } else if (value.kind == FST_ARRAY) {
        ptrdiff_t index = 0;
        fst_value element;
        FST_PUT(out, "[");
        while (element = fst_element(record, value, index++), element.kind != FST_ABSENT) {
            fst_put(out, separator, *separator == ',');
            put_parts(record, out, element);
            separator = ",";
        }
        FST_PUT(out, "]");
    } else {
        fst_put_value(out, value);
    }
}

static int
is_absent(fst_value value)
{
    return value.kind == FST_ABSENT && value.text.size == 0;
}

static int
parts(void *state, const fst_record *record, fst_output *out)
{
    fst_value root = fst_root(record), none = FST_GET(record, root, "no such member");
    (void)state;
    if (!is_absent(none) || !is_absent(FST_GET(record, none, "a"))
        || !is_absent(fst_element(record, root, 0)) || !is_absent(fst_element(record, none, 0)))
        return fst_fail(out, "there should be no such value");
    put_parts(record, out, root);
    fst_end(out);
    return FST_OK;
}

/* ---------------------------------------------------------------- paths */

/* Writes `,path: value` for the path of `size` bytes and all that are longer. */
static int
put_paths(const fst_record *record, fst_output *out, char *path, ptrdiff_t size)
{
    fst_value value = fst_find_at(record, path);
    fst_items items = fst_iterate(record, value);
    fst_member item;
    int index;
    FST_PUT(out, ",");
    fst_put_string(out, path, size);
    FST_PUT(out, ":");
    fst_put_value(out, value);
    for (index = 0; fst_next(&items, &item); index++) {
        ptrdiff_t longer = size;
        if (longer + item.name.size + 32 > ROOM)
            return 0;
        if (value.kind == FST_ARRAY) {
            longer += snprintf(path + size, 32, "[%d]", index);
        } else {
            path[longer++] = '.';
            longer += fst_text(record, fst_name(&item), path + longer);
            path[longer] = '\0';
            if (strcspn(path + size + 1, ".[") != (size_t)(longer - size - 1))
                continue;
        }
        if (!put_paths(record, out, path, longer))
            return 0;
    }
    return 1;
}

/* Writes an object of all paths that lead to a value, and of these values. */
static int
paths(void *state, const fst_record *record, fst_output *out)
{
    fst_items items = fst_iterate(record, fst_root(record));
    fst_member item;
    char *path = state;
    FST_PUT(out, "{\"0\":0");
    while (fst_next(&items, &item)) {
        ptrdiff_t size = fst_text(record, fst_name(&item), path);
        path[size] = '\0';
        if (strcspn(path, ".[") == (size_t)size && !put_paths(record, out, path, size))
            return fst_fail(out, "no room");
    }
    FST_PUT(out, "}");
    fst_end(out);
    return FST_OK;
}

static void *
create_room(void)
{
    return malloc(ROOM);
}

/* ---------------------------------------------------------------- paths of a state */

static const char *const KNOWN[] = {
    "",     "a",       "b",       "é",         ".",         "a.",       ".a",
    "a.b",  "a.b.a",   "b.a.é",   "a[0]",      "b[1]",      "a.b[0].a", "a[0][1]",
    "[0]",  "a[2].b",  "a[00]",   "a[1",       "a[]",       "a[-1]",    "a[0]b",
    "a[0x0]", "a[b]",  "a[18446744073709551616]", "a[0",    "a]",       "é.é[0]",
};
enum { COUNT = sizeof KNOWN / sizeof *KNOWN };

static void *
create_known(void)
{
    fst_path *known = malloc(sizeof(fst_path) * COUNT);
    int i;
    for (i = 0; known != NULL && i < COUNT; i++)
        known[i] = fst_path_of(KNOWN[i]);
    return known;
}

/* Writes an array of [path] or [path, value], by paths that are kept from record to record. */
static int
known(void *state, const fst_record *record, fst_output *out)
{
    fst_path *all = state;
    int i;
    for (i = 0; i < COUNT; i++) {
        fst_value value = fst_find_path(record, &all[i]);
        fst_put(out, i ? ",[" : "[[", 2);
        fst_put_string(out, all[i].text, (ptrdiff_t)strlen(all[i].text));
        if (!is_absent(value)) {
            FST_PUT(out, ",");
            fst_put_value(out, value);
        }
        FST_PUT(out, "]");
    }
    FST_PUT(out, "]");
    fst_end(out);
    return FST_OK;
}

/* ---------------------------------------------------------------- the module */

static const fst_processor processors[] = {
    {FST_ABI, sizeof(fst_processor), "items", NULL, NULL, items},
    {FST_ABI, sizeof(fst_processor), "parts", NULL, NULL, parts},
    {FST_ABI, sizeof(fst_processor), "paths", create_room, free, paths},
    {FST_ABI, sizeof(fst_processor), "known", create_known, free, known},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "values", NULL, 0, NULL,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit_values(void)
{
    PyObject *made = PyModule_Create(&module);
    size_t i;
    for (i = 0; made != NULL && i < sizeof processors / sizeof *processors; i++) {
        PyObject *capsule = PyCapsule_New((void *)&processors[i], FST_CAPSULE, NULL);
        if (capsule == NULL || PyModule_AddObject(made, processors[i].name, capsule) < 0) {
            Py_XDECREF(capsule);
            Py_CLEAR(made);
        }
    }
    return made;
}
