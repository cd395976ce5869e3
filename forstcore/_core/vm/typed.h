/* typed.h: values of the record whose types are declared. */
#ifndef FST_VM_TYPED_H
#define FST_VM_TYPED_H

#include "dicts.h"
#include "opcodes.h"
#include "paths.h"

FST_INLINE int
fst_is_integer_text(const char *text, ptrdiff_t size)
{
    ptrdiff_t i;
    for (i = 0; i < size; i++)
        if (text[i] == '.' || text[i] == 'e' || text[i] == 'E')
            return 0;
    return 1;
}

/* Whether the value at a path has one of the types with these bits. If what it belongs to is no
 * object, another check has decided about that. */
FST_INLINE int
fst_is_expected(fst_machine *machine, int path, int types)
{
    fst_value own;
    const fst_value *value = fst_value_at(machine, path, &own);
    switch (value->kind) {
    case FST_ABSENT:
        return (types & FST_IS_ABSENT)
               || fst_kind_at(machine, machine->program->paths[path].parent) != FST_OBJECT;
    case FST_NULL:
        return types & FST_IS_NONE;
    case FST_FALSE:
    case FST_TRUE:
        return types & FST_IS_BOOL;
    case FST_NUMBER:
        return fst_is_integer_text(value->text.start, value->text.size)
            ? types & FST_IS_INT
            : types & FST_IS_FLOAT;
    case FST_STRING:
        return types & FST_IS_STR;
    case FST_ARRAY:
        return types & FST_IS_LIST;
    default:
        return types & FST_IS_DICT;
    }
}

/* The same of a value that is not at a path; unset if it is absent. */
FST_INLINE int
fst_is_expected_value(const fst_cell *cell, int types)
{
    switch (cell->type) {
    case FST_UNSET:
        return types & FST_IS_ABSENT;
    case FST_NONE:
        return types & FST_IS_NONE;
    case FST_BOOL:
        return types & FST_IS_BOOL;
    case FST_NUMBER_TEXT:
        return fst_is_integer_text(cell->text, cell->size)
            ? types & FST_IS_INT
            : types & FST_IS_FLOAT;
    case FST_STR:
    case FST_STRING_TEXT:
        return types & FST_IS_STR;
    case FST_LIST:
    case FST_ARRAY_TEXT:
        return types & FST_IS_LIST;
    case FST_DICT:
    case FST_OBJECT_TEXT:
        return types & FST_IS_DICT;
    default:
        return 0;
    }
}

/* The member of an object with a name that is a constant; unset if there is none. */
FST_INLINE fst_status
fst_get_member(fst_machine *machine, fst_cell *to, fst_cell *object, const fst_cell *name)
{
    fst_value value;
    fst_cell *found;
    if (object->type == FST_OBJECT_TEXT) {
        fst_value whole = {{NULL, 0}, FST_OBJECT, 0};
        whole.text.start = object->text;
        whole.text.size = object->size;
        value = fst_get(machine->record, whole, name->text, name->size);
        *to = fst_cell_of(machine, &value);
        return FST_DONE;
    }
    if (object->type != FST_DICT)
        return FST_GIVE_BACK;
    found = fst_dict_get_text(machine, (fst_dict *)object->object, name->text, name->size);
    if (found == NULL)
        to->type = FST_UNSET;
    else
        *to = *found;
    return FST_DONE;
}

/* Makes a float of an integer; other values stay. */
FST_INLINE void
fst_make_float(fst_cell *cell)
{
    if (cell->type == FST_NUMBER_TEXT) {
        /* -0 is an integer, which has no sign. */
        const int is_zero = cell->size == 2 && cell->text[0] == '-' && cell->text[1] == '0';
        *cell = fst_float(is_zero ? 0.0 : fst_read_number(cell->text, cell->size));
    } else if (cell->type == FST_INT) {
        *cell = fst_float((double)cell->integer);
    } else if (cell->type == FST_BIG && cell->size == 1) {
        /* A number of the record that has been read as an integer. */
        *cell = fst_float((double)fst_word_of_big(cell, 0));
    }
}

/* Makes floats of the integers in a list, or of the values of a dict. Other cells that have the same
 * list are of the same declared type. */
FST_NOINLINE fst_status
fst_make_floats(fst_machine *machine, fst_cell *cell)
{
    uint32_t i;
    FST_TRY(fst_shallow(machine, cell));
    if (cell->type == FST_LIST) {
        const fst_list *list = (const fst_list *)cell->object;
        for (i = 0; i < list->count; i++)
            fst_make_float(&list->items[i]);
    } else if (cell->type == FST_DICT) {
        const fst_dict *dict = (const fst_dict *)cell->object;
        for (i = 0; i < dict->used; i++)
            fst_make_float(&dict->entries[i].value);
    }
    return FST_DONE;
}

#endif
