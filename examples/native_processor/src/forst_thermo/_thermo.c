/*
 * {"sensor": "oven", "celsius": 180.5}  ->  {"sensor":"oven","fahrenheit":356.9,"alarm":true}
 *
 * Records below absolute zero are refused, those without a temperature dropped.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "forstcore.h"

static int
thermo(void *state, const fst_record *record, fst_output *out)
{
    double celsius;
    (void)state;
    if (!fst_number(FST_FIND(record, "celsius"), &celsius))
        return FST_OK;
    if (celsius < -273.15)
        return fst_fail(out, "below absolute zero");
    FST_PUT(out, "{\"sensor\":");
    fst_put_value(out, FST_FIND(record, "sensor"));
    FST_PUT(out, ",\"fahrenheit\":");
    fst_put_number(out, celsius * 9 / 5 + 32);
    if (celsius >= 100)
        FST_PUT(out, ",\"alarm\":true}");
    else
        FST_PUT(out, ",\"alarm\":false}");
    fst_end(out);
    return FST_OK;
}

static const fst_processor processor = {FST_ABI, sizeof(fst_processor), "thermo",
                                        NULL,    NULL,                  thermo};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_thermo", NULL, 0, NULL,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit__thermo(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *capsule = PyCapsule_New((void *)&processor, FST_CAPSULE, NULL);
    if (made == NULL || capsule == NULL || PyModule_AddObject(made, "capsule", capsule) < 0) {
        Py_XDECREF(capsule);
        Py_XDECREF(made);
        return NULL;
    }
    return made;
}
