/* Native processors for the tests, one for each thing that one can do. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forstcore.h"

/* The built-in processor, written by way of the C face. */
static int
twin(void *state, const fst_record *record, fst_output *out)
{
    fst_value id = FST_FIND(record, "id"), data = FST_FIND(record, "data");
    (void)state;
    if (id.kind > FST_NULL && id.kind != FST_STRING)
        return fst_fail(out, "member 'id' must be a string or null");
    if (data.kind > FST_NULL && data.kind != FST_STRING)
        return fst_fail(out, "member 'data' must be a string or null");
    FST_PUT(out, "{\"id\":\"");
    if (id.kind == FST_STRING)
        fst_put_raw(out, id);
    FST_PUT(out, "\",\"result\":\"processed_");
    if (data.kind == FST_STRING)
        fst_put_raw(out, data);
    FST_PUT(out, "\",\"status\":\"success\"}");
    fst_end(out);
    return FST_OK;
}

/* Writes all that can be known of member "v". */
static int
inspect(void *state, const fst_record *record, fst_output *out)
{
    fst_value value = FST_FIND(record, "v");
    int64_t integer;
    double number;
    char *text;
    (void)state;
    FST_PUT(out, "{\"kind\":");
    fst_put_integer(out, value.kind);
    FST_PUT(out, ",\"line\":");
    fst_put_integer(out, record->line);
    FST_PUT(out, ",\"value\":");
    fst_put_value(out, value);
    if (fst_integer(value, &integer)) {
        FST_PUT(out, ",\"integer\":");
        fst_put_integer(out, integer);
    }
    if (fst_number(value, &number)) {
        FST_PUT(out, ",\"number\":");
        fst_put_number(out, number);
    }
    if (value.kind == FST_STRING) {
        text = malloc((size_t)value.text.size + 1);
        FST_PUT(out, ",\"escaped\":");
        fst_put_integer(out, fst_is_escaped(value));
        FST_PUT(out, ",\"text\":");
        fst_put_string(out, text, fst_text(record, value, text));
        free(text);
    }
    FST_PUT(out, ",\"record\":");
    fst_put(out, record->text.start, record->text.size);
    FST_PUT(out, "}");
    fst_end(out);
    return FST_OK;
}

/* Writes each member as the core reports it: its name, its value, and what is known of both. */
static int
members(void *state, const fst_record *record, fst_output *out)
{
    int i;
    (void)state;
    FST_PUT(out, "[");
    for (i = 0; i < record->count; i++) {
        const fst_member *member = &record->members[i];
        FST_PUT(out, "[\"");
        fst_put(out, member->name.start, member->name.size);
        FST_PUT(out, "\",");
        fst_put_value(out, member->value);
        FST_PUT(out, ",");
        fst_put_integer(out, member->value.kind);
        fst_put(out, ",1" + 2 * !member->plain, 2 * !!member->plain);
        fst_put(out, ",2" + 2 * !member->value.plain, 2 * !!member->value.plain);
        FST_PUT(out, "],");
    }
    fst_put_integer(out, record->more);
    FST_PUT(out, "]");
    fst_end(out);
    return FST_OK;
}

/* Writes member "text" as many times as member "times" says. */
static int
repeat(void *state, const fst_record *record, fst_output *out)
{
    fst_value text = FST_FIND(record, "text");
    int64_t times = 1;
    (void)state;
    for (fst_integer(FST_FIND(record, "times"), &times); times > 0; times--) {
        fst_put_value(out, text);
        fst_end(out);
    }
    return FST_OK;
}

/* Writes one result in which member "text" stands as many times as member "times" says. */
static int
swell(void *state, const fst_record *record, fst_output *out)
{
    fst_value text = FST_FIND(record, "text");
    int64_t times = 1;
    (void)state;
    FST_PUT(out, "[0");
    for (fst_integer(FST_FIND(record, "times"), &times); times > 0; times--) {
        FST_PUT(out, ",");
        fst_put_value(out, text);
    }
    FST_PUT(out, "]");
    fst_end(out);
    return FST_OK;
}

/* Refuses records with member "why", after it has written something. */
static int
refuse(void *state, const fst_record *record, fst_output *out)
{
    fst_value why = FST_FIND(record, "why");
    char text[4096];
    (void)state;
    FST_PUT(out, "1");
    fst_end(out);
    FST_PUT(out, "2");
    if (why.kind == FST_NULL)
        return FST_OK;
    if (why.kind == FST_STRING && why.text.size < 4096) {
        text[fst_text(record, why, text)] = '\0';
        return fst_fail(out, text);
    }
    fst_end(out);
    return FST_OK;
}

/* Writes the texts of members "first" and "second" as results, whatever they are. */
static int
verbatim(void *state, const fst_record *record, fst_output *out)
{
    fst_value first = FST_FIND(record, "first"), second = FST_FIND(record, "second");
    (void)state;
    fst_put_raw(out, first);
    fst_end(out);
    fst_put_raw(out, second);
    fst_end(out);
    return FST_OK;
}

/* Writes member "v" in canonical form, twice: behind something else, and beside itself. */
static int
canonical(void *state, const fst_record *record, fst_output *out)
{
    fst_value value = FST_FIND(record, "v");
    (void)state;
    FST_PUT(out, "[");
    fst_put_canonical(record, out, value);
    FST_PUT(out, ",");
    fst_put_canonical(record, out, value);
    FST_PUT(out, "]");
    fst_end(out);
    return FST_OK;
}

static long alive, made;

static void *
create(void)
{
    alive++;
    made++;
    return calloc(1, sizeof(int64_t));
}

static void
destroy(void *state)
{
    alive--;
    free(state);
}

static void *
create_nothing(void)
{
    return NULL;
}

/* Counts the records of its state. */
static int
count(void *state, const fst_record *record, fst_output *out)
{
    (void)record;
    fst_put_integer(out, ++*(int64_t *)state);
    fst_end(out);
    return FST_OK;
}

/* The built-in processor, and some microseconds of work. */
static int
toil(void *state, const fst_record *record, fst_output *out)
{
    volatile unsigned sum = 0;
    unsigned i;
    for (i = 0; i < 4500; i++)
        sum += i * i;
    return twin(state, record, out);
}

static volatile int holding;

/* Holds its stream at a record with member "hold" until `release` is called. */
static int
hold(void *state, const fst_record *record, fst_output *out)
{
    if (FST_FIND(record, "hold").kind != FST_ABSENT) {
        holding = 1;
        while (holding)
            ;
    }
    return twin(state, record, out);
}

#define PROCESSOR(name) \
    static const fst_processor name##_processor = {FST_ABI, sizeof(fst_processor), #name, NULL, \
                                                   NULL,    name};
PROCESSOR(twin)
PROCESSOR(inspect)
PROCESSOR(members)
PROCESSOR(repeat)
PROCESSOR(swell)
PROCESSOR(refuse)
PROCESSOR(toil)
PROCESSOR(verbatim)
PROCESSOR(canonical)
PROCESSOR(hold)
static const fst_processor count_processor = {FST_ABI, sizeof(fst_processor), "count",
                                              create,  destroy,               count};
static const fst_processor stateless_processor = {FST_ABI,        sizeof(fst_processor),
                                                  "stateless",    create_nothing,
                                                  NULL,           count};
static const fst_processor future_processor = {FST_ABI + 1, sizeof(fst_processor), "future",
                                               NULL,        NULL,                  twin};
static const fst_processor past_processor = {1,    sizeof(fst_processor), "past",
                                             NULL, NULL,                  twin};
static const fst_processor ancient_processor = {0,    sizeof(fst_processor), "ancient",
                                                NULL, NULL,                  twin};
static const fst_processor empty_processor = {FST_ABI, sizeof(fst_processor), "empty",
                                              NULL,    NULL,                  NULL};

static PyObject *
states(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    return Py_BuildValue("ll", made, alive);
}

static PyObject *
is_holding(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    return PyBool_FromLong(holding);
}

static PyObject *
release(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    holding = 0;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"states", states, METH_NOARGS, "How many were made, and live."},
                                {"is_holding", is_holding, METH_NOARGS, "Whether a stream is held."},
                                {"release", release, METH_NOARGS, "Let the stream go on."},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "cases", NULL, -1, methods,
                                    NULL, NULL, NULL, NULL};

static int
add(PyObject *to, const char *name, const fst_processor *processor)
{
    PyObject *capsule = PyCapsule_New((void *)processor, FST_CAPSULE, NULL);
    if (capsule == NULL || PyModule_AddObject(to, name, capsule) < 0) {
        Py_XDECREF(capsule);
        return -1;
    }
    return 0;
}

PyMODINIT_FUNC
PyInit_cases(void)
{
    PyObject *made_module = PyModule_Create(&module);
    PyObject *other = PyCapsule_New((void *)&twin_processor, "something.else", NULL);
    if (made_module == NULL || other == NULL || PyModule_AddObject(made_module, "other", other) < 0
        || add(made_module, "twin", &twin_processor) || add(made_module, "inspect", &inspect_processor)
        || add(made_module, "members", &members_processor)
        || add(made_module, "repeat", &repeat_processor) || add(made_module, "swell", &swell_processor)
        || add(made_module, "refuse", &refuse_processor) || add(made_module, "toil", &toil_processor)
        || add(made_module, "verbatim", &verbatim_processor)
        || add(made_module, "canonical", &canonical_processor)
        || add(made_module, "hold", &hold_processor)
        || add(made_module, "count", &count_processor)
        || add(made_module, "stateless", &stateless_processor)
        || add(made_module, "future", &future_processor)
        || add(made_module, "past", &past_processor)
        || add(made_module, "ancient", &ancient_processor)
        || add(made_module, "empty", &empty_processor))
        return NULL;
    return made_module;
}
