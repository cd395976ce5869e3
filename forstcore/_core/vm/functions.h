/* functions.h: the functions that programs can call. */
#ifndef FST_VM_FUNCTIONS_H
#define FST_VM_FUNCTIONS_H

#include "mathematics.h"
#include "replacements.h"
#include "run_program.h"

static const fst_function FST_FUNCTIONS[] = {
#define FST_FUNCTION(name, parameters, call) {name, parameters, call},
    FST_STRING_FUNCTIONS(FST_FUNCTION)
    FST_FORMAT_FUNCTIONS(FST_FUNCTION)
    FST_NUMBER_FUNCTIONS(FST_FUNCTION)
    FST_MATH_FUNCTIONS(FST_FUNCTION)
    FST_DATE_FUNCTIONS(FST_FUNCTION)
    FST_PATTERN_FUNCTIONS(FST_FUNCTION)
    FST_CONTAINER_FUNCTIONS(FST_FUNCTION)
#undef FST_FUNCTION
};

enum { FST_FUNCTION_COUNT = sizeof FST_FUNCTIONS / sizeof FST_FUNCTIONS[0] };

#endif
