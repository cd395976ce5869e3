/* paths.h: the values at the program's paths in the record. */
#ifndef FST_VM_PATHS_H
#define FST_VM_PATHS_H

#include "containers.h"
#include "program.h"

/* The value at a path, which may be put into `own`; absent if there is none. */
FST_INLINE const fst_value *
fst_value_at(fst_machine *machine, int path, fst_value *own)
{
    const fst_value *known = machine->found[path].value;
    if (FST_LIKELY(known != NULL))
        return known;
    machine->program->find(machine, path, own);
    return own;
}

/* The kind of what a path leads to, without the text. */
FST_INLINE fst_kind
fst_kind_at(fst_machine *machine, int path)
{
    fst_value own;
    return path < 0 ? FST_OBJECT : fst_value_at(machine, path, &own)->kind;
}

/* The exception of Python for the subscript or `get` that ends a path without a value. */
FST_NOINLINE fst_status
fst_why_absent(fst_machine *machine, int path, int is_get)
{
    const fst_names *names = &machine->program->paths[path];
    const fst_kind kind = fst_kind_at(machine, names->parent);
    if (kind == FST_ABSENT)
        return fst_why_absent(machine, names->parent, 0);
    if (kind == FST_OBJECT)
        return FST_KEY_ERROR;
    return is_get ? FST_ATTRIBUTE_ERROR : FST_TYPE_ERROR;
}

FST_INLINE fst_status
fst_load_path(fst_machine *machine, fst_cell *to, int path)
{
    fst_value own;
    const fst_value *value = fst_value_at(machine, path, &own);
    if (value->kind == FST_ABSENT)
        return fst_why_absent(machine, path, 0);
    if (value->kind == FST_OBJECT && !machine->complete) {
        machine->complete = 1;
        machine->program->complete(machine);
        value = fst_value_at(machine, path, &own);
    }
    *to = fst_cell_of(machine, value);
    return FST_DONE;
}

/* As `record[…].get(name, otherwise)`. */
FST_INLINE fst_status
fst_load_path_or(fst_machine *machine, fst_cell *to, int path, const fst_cell *otherwise)
{
    if (fst_kind_at(machine, path) != FST_ABSENT)
        return fst_load_path(machine, to, path);
    if (fst_kind_at(machine, machine->program->paths[path].parent) != FST_OBJECT)
        return fst_why_absent(machine, path, 1);
    *to = *otherwise;
    return FST_DONE;
}

/* `name in record[…]` where that is no object: a list, or a str. */
FST_NOINLINE fst_status
fst_has_item(fst_machine *machine, int path, int *has)
{
    const fst_names *names = &machine->program->paths[path];
    const fst_span *name = &names->names[names->count - 1];
    fst_cell item = fst_str(name->start, (size_t)name->size, 0), container;
    FST_TRY(fst_load_path(machine, &container, names->parent));
    return fst_contains(machine, &container, &item, has);
}

/* As `name in record[…]`. */
FST_INLINE fst_status
fst_has(fst_machine *machine, fst_cell *to, int path, int negated)
{
    int has = fst_kind_at(machine, path) != FST_ABSENT;
    if (!has && fst_kind_at(machine, machine->program->paths[path].parent) != FST_OBJECT)
        FST_TRY(fst_has_item(machine, path, &has));
    *to = fst_bool(has != negated);
    return FST_DONE;
}

#endif
