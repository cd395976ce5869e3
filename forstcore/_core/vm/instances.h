/* instances.h: instances of the user's classes, and named tuples of such classes.
 *
 * A cell of type FST_INSTANCE has the values of the fields in a list; so has a named tuple, which is a
 * tuple in all other ways. The size of the cell is the number of a constant, counted from 1, which
 * describes the class: a tuple of its flags, and behind them the names of its fields. A field of a
 * plain class is FST_UNSET before it is assigned. */
#ifndef FST_VM_INSTANCES_H
#define FST_VM_INSTANCES_H

#include "dicts.h"
#include "lists.h"
#include "program.h"

enum {
    /* Flags of a class. */
    FST_CLASS_TUPLE = 1,        /* of named tuples */
    FST_CLASS_FIXED = 2,        /* whose fields cannot be assigned */
    FST_CLASS_WRITTEN = 4,      /* whose fields are written as members of an object */
    FST_CLASS_PLAIN = 8,        /* no dataclass */
    FST_CLASS_HAS_TRUTH = 16,   /* whose methods decide about the truth of an instance */
    FST_CLASS_EQUAL = 32,       /* a dataclass whose instances compare by their fields */
    FST_CLASS_ORDERED = 64,     /* and are ordered by them */
    FST_FIELDS_DEPTH = 16       /* of asdict() */
};

FST_INLINE int
fst_is_instance(const fst_cell *cell)
{
    return cell->type == FST_INSTANCE
           || (cell->type == FST_TUPLE && (cell->flags & FST_NAMED) && cell->size > 0);
}

/* What describes the class of an instance. */
FST_INLINE const fst_list *
fst_class_of_instance(const fst_machine *machine, const fst_cell *cell)
{
    return (const fst_list *)machine->program->constants[cell->size - 1].object;
}

/* Whether it is one of a class that is neither a dataclass nor a named tuple. */
FST_INLINE int
fst_is_plain_instance(const fst_machine *machine, const fst_cell *cell)
{
    return cell->type == FST_INSTANCE
           && (fst_class_of_instance(machine, cell)->items[0].integer & FST_CLASS_PLAIN);
}

/* The flags of an instance of a class that is no tuple. */
FST_INLINE uint8_t
fst_flags_of_instance(int64_t flags_of_class)
{
    int flags = flags_of_class & FST_CLASS_HAS_TRUTH ? FST_TRUTH_UNKNOWN : 0;
    flags |= flags_of_class & FST_CLASS_EQUAL ? FST_EQUAL_BY_FIELDS : 0;
    flags |= flags_of_class & FST_CLASS_ORDERED ? FST_ORDERED_BY_FIELDS : 0;
    return (uint8_t)flags;
}

/* Makes an instance of a tuple with the values of its fields. */
FST_INLINE fst_cell
fst_instance(const fst_list *class_of_it, int number, void *fields)
{
    const int is_tuple = class_of_it->items[0].integer & FST_CLASS_TUPLE;
    fst_cell cell = fst_object(is_tuple ? FST_TUPLE : FST_INSTANCE, fields);
    cell.flags = is_tuple ? FST_NAMED : fst_flags_of_instance(class_of_it->items[0].integer);
    cell.size = (uint32_t)number + 1;
    return cell;
}

/* The field with a name; NULL if it is no instance, or has none. */
FST_INLINE fst_cell *
fst_find_field(const fst_machine *machine, const fst_cell *cell, const fst_cell *name)
{
    const fst_list *fields = (const fst_list *)cell->object, *known;
    uint32_t i;
    if (!fst_is_instance(cell))
        return NULL;
    known = fst_class_of_instance(machine, cell);
    for (i = 1; i < known->count; i++) {
        const fst_cell *each = &known->items[i];
        if (each->size == name->size && fst_same_text(each->text, name->text, name->size))
            return &fields->items[i - 1];
    }
    return NULL;
}

FST_INLINE fst_status
fst_get_field(const fst_machine *machine, fst_cell *to, const fst_cell *cell, const fst_cell *name)
{
    const fst_cell *field = fst_find_field(machine, cell, name);
    if (field == NULL || field->type == FST_UNSET)
        return FST_GIVE_BACK;
    *to = *field;
    return FST_DONE;
}

/* Assigns a field. */
FST_INLINE fst_status
fst_set_field(
    const fst_machine *machine, const fst_cell *cell, const fst_cell *name, const fst_cell *value)
{
    fst_cell *field = fst_find_field(machine, cell, name);
    if (field == NULL || ((const fst_list *)cell->object)->frozen
        || (fst_class_of_instance(machine, cell)->items[0].integer & FST_CLASS_FIXED))
        return FST_GIVE_BACK;
    *field = *value;
    return FST_DONE;
}

/* Makes a copy of an instance that has another value for a field. */
FST_INLINE fst_status
fst_replace_field(
    fst_machine *machine, fst_cell *cell, const fst_cell *name, const fst_cell *value)
{
    const fst_list *old = (const fst_list *)cell->object;
    const fst_cell *field = fst_find_field(machine, cell, name);
    fst_list *copy;
    if (field == NULL)
        return FST_GIVE_BACK;
    copy = fst_new_list(machine, old->count);
    if (copy == NULL)
        return FST_NO_MEMORY;
    memcpy(copy->items, old->items, old->count * sizeof *old->items);
    copy->count = old->count;
    copy->items[field - old->items] = *value;
    cell->object = copy;
    return FST_DONE;
}

/* ---------------------------------------------------------------- as dicts */

/* What fst_copy_fields makes of instances. */
typedef enum fst_copies { FST_AS_DICTS, FST_AS_TUPLES } fst_copies;

FST_NOINLINE fst_status
fst_copy_fields(
    fst_machine *machine, fst_cell *to, const fst_cell *cell, fst_copies copies, int depth);

FST_NOINLINE fst_status
fst_fields_to_dict(fst_machine *machine, fst_cell *to, const fst_cell *cell, int depth)
{
    const fst_list *fields = (const fst_list *)cell->object;
    const fst_list *known = fst_class_of_instance(machine, cell);
    fst_dict *dict = fst_new_dict(machine, fields->count);
    uint32_t i;
    if (dict == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < fields->count; i++) {
        fst_cell name = known->items[i + 1], value = fields->items[i];
        if (depth >= 0)
            FST_TRY(fst_copy_fields(machine, &value, &fields->items[i], FST_AS_DICTS, depth + 1));
        FST_TRY(fst_dict_set(machine, dict, &name, &value));
    }
    *to = fst_object(FST_DICT, dict);
    return FST_DONE;
}

/* Copies a value as asdict() or astuple() does; other containers than lists and instances are given
 * back. */
FST_NOINLINE fst_status
fst_copy_fields(
    fst_machine *machine, fst_cell *to, const fst_cell *cell, fst_copies copies, int depth)
{
    const fst_list *list;
    fst_list *copy;
    uint32_t i;
    if (depth == FST_FIELDS_DEPTH || --machine->fuel < 0 || fst_is_plain_instance(machine, cell))
        return FST_GIVE_BACK;
    if (cell->type == FST_INSTANCE && copies == FST_AS_DICTS)
        return fst_fields_to_dict(machine, to, cell, depth);
    if (cell->type != FST_LIST && cell->type != FST_INSTANCE) {
        *to = *cell;
        return cell->type > FST_LIST && cell->type != FST_DATE && cell->type != FST_DATETIME
            ? FST_GIVE_BACK
            : FST_DONE;
    }
    list = (const fst_list *)cell->object;
    copy = fst_new_list(machine, list->count);
    if (copy == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < list->count; i++)
        FST_TRY(fst_copy_fields(machine, &copy->items[i], &list->items[i], copies, depth + 1));
    copy->count = list->count;
    *to = fst_object(cell->type == FST_INSTANCE ? FST_TUPLE : FST_LIST, copy);
    return FST_DONE;
}

/* dataclasses.asdict(instance) */
FST_NOINLINE fst_status
fst_asdict(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_INSTANCE || fst_is_plain_instance(machine, &arguments[0]))
        return FST_GIVE_BACK;
    return fst_fields_to_dict(machine, to, &arguments[0], 0);
}

/* dataclasses.astuple(instance) */
FST_NOINLINE fst_status
fst_astuple(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_INSTANCE)
        return FST_GIVE_BACK;
    return fst_copy_fields(machine, to, &arguments[0], FST_AS_TUPLES, 0);
}

/* namedtuple._asdict() */
FST_NOINLINE fst_status
fst_named_asdict(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[0].type != FST_TUPLE || !fst_is_instance(&arguments[0]))
        return FST_GIVE_BACK;
    return fst_fields_to_dict(machine, to, &arguments[0], -1);
}

#define FST_INSTANCE_FUNCTIONS(X) \
    X("dataclasses.asdict", "obj", fst_asdict) \
    X("dataclasses.astuple", "obj", fst_astuple) \
    X("._asdict", "self", fst_named_asdict)

#endif
