/* program.h: what the compiler produces: instructions and the data that they refer to. */
#ifndef FST_VM_PROGRAM_H
#define FST_VM_PROGRAM_H

#include "opcodes.h"
#include "values.h"

typedef struct fst_instruction {
    uint16_t code;              /* FST_OP_… */
    uint16_t a, b, c;
} fst_instruction;

/* The names from the record down to a value, unescaped. */
typedef struct fst_names {
    const fst_span *names;
    int count;
    int parent;                 /* the path without the last name; -1: that is the record */
} fst_names;

/* What is known about a path in records of the machine's shape. */
typedef struct fst_found {
    const fst_value *value;     /* absent where the record has none; NULL if it is not known */
    int count;                  /* of the places that the shape had when none of them was the path's */
} fst_found;

/* After an exception between two instructions, `end` excluded, `target` is next. */
typedef struct fst_handler {
    uint16_t start, end, target;
    uint16_t statuses;          /* a bit for each fst_status that is caught */
} fst_handler;

typedef struct fst_function {
    const char *name;
    const char *parameters;
    fst_native call;
} fst_function;

typedef struct fst_program {
    const fst_instruction *code;
    const fst_cell *constants;
    const fst_names *paths;
    const fst_span *pieces;
    const fst_handler *handlers;    /* inner ones first */
    const fst_function *functions;
    int code_count, constant_count, path_count, piece_count, handler_count;
    int registers;
    int variables;              /* of the registers, those that are unset at the start */
    /* Finds the value at a path, which is absent if there is none. */
    void (*find)(fst_machine *machine, int path, fst_value *value);
    /* Fills in the text of the objects of the record. */
    void (*complete)(fst_machine *machine);
} fst_program;

#endif
