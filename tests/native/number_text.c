/* The functions of forstcore_numbers.h, and its table, for Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forstcore_numbers.h"

/* Copies an argument into memory of its exact size, so that sanitizers see what is read past it. */
static char *
copied(PyObject *argument, Py_ssize_t *size)
{
    char *text, *copy;
    if (PyBytes_AsStringAndSize(argument, &text, size) < 0)
        return NULL;
    copy = malloc((size_t)*size);
    memcpy(copy, text, (size_t)*size);
    return copy;
}

static PyObject *
read_number(PyObject *self, PyObject *argument)
{
    Py_ssize_t size;
    char *text = copied(argument, &size);
    double number = fst_read_number(text, size);
    (void)self;
    free(text);
    return PyFloat_FromDouble(number);
}

static PyObject *
read_integer(PyObject *self, PyObject *argument)
{
    Py_ssize_t size;
    char *text = copied(argument, &size);
    int64_t number;
    int fits = fst_read_integer(text, size, &number);
    (void)self;
    free(text);
    if (!fits)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(number);
}

/* Returns what was written to `room`, which is freed. */
static PyObject *
written(char *room, char *end)
{
    PyObject *result = PyBytes_FromStringAndSize(room, end - room);
    free(room);
    return result;
}

static PyObject *
write_number(PyObject *self, PyObject *argument)
{
    char *room = malloc(FST_NUMBER_ROOM);
    (void)self;
    return written(room, fst_write_number(room, PyFloat_AsDouble(argument)));
}

static PyObject *
write_integer(PyObject *self, PyObject *argument)
{
    char *room = malloc(FST_INTEGER_ROOM);
    (void)self;
    return written(room, fst_write_integer(room, PyLong_AsLongLong(argument)));
}

static PyObject *
write_normalized(PyObject *self, PyObject *argument)
{
    Py_ssize_t size;
    char *text = copied(argument, &size);
    char *room = malloc((size_t)(size > FST_NUMBER_ROOM ? size : FST_NUMBER_ROOM));
    char *end = fst_write_normalized(room, text, size);
    (void)self;
    free(text);
    return written(room, end);
}

/* Returns the entry of the table for 10**exponent, and the exponent of the power of two below it. */
static PyObject *
power(PyObject *self, PyObject *argument)
{
    int exponent = (int)PyLong_AsLong(argument);
    const uint64_t *entry = fst_power(exponent);
    (void)self;
    return Py_BuildValue("KKi", (unsigned long long)entry[0], (unsigned long long)entry[1],
                         fst_binary_exponent(exponent));
}

static PyMethodDef methods[] = {
    {"read_number", read_number, METH_O, NULL},
    {"read_integer", read_integer, METH_O, NULL},
    {"write_number", write_number, METH_O, NULL},
    {"write_integer", write_integer, METH_O, NULL},
    {"write_normalized", write_normalized, METH_O, NULL},
    {"power", power, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "number_text", NULL, -1, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit_number_text(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyModule_AddIntConstant(made, "LEAST_POWER", FST_LEAST_POWER) < 0
        || PyModule_AddIntConstant(made, "LARGEST_POWER", FST_LARGEST_POWER) < 0
        || PyModule_AddIntConstant(made, "LARGEST_EXACT_POWER", FST_LARGEST_EXACT_POWER) < 0)
        return NULL;
    return made;
}
