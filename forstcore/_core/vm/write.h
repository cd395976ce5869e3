/* write.h: values as JSON, as a processor in Python writes them.
 *
 * Values of the record that are still text are written in canonical form, without being parsed. What
 * Python refuses to write, such as NaN or a set, is given back. */
#ifndef FST_VM_WRITE_H
#define FST_VM_WRITE_H

#include "big_integers.h"
#include "date_text.h"
#include "dicts.h"
#include "instances.h"
#include "text.h"

enum {
    FST_WRITE_MOST = 64,        /* nested containers of the program; deeper ones are given back */
    FST_JSON_MOST = 500         /* of any kind, which Python functions may return */
};

/* ---------------------------------------------------------------- strings */

/* Sets the high bit of the first of eight bytes that JSON escapes: quotes, backslashes, control
 * characters. Behind it others may be set, too. (Borrows go to the bytes behind.) */
FST_INLINE uint64_t
fst_escaped_bytes(uint64_t bytes)
{
    const uint64_t quote = bytes ^ FST_EACH_BYTE * '"', slash = bytes ^ FST_EACH_BYTE * '\\';
    const uint64_t found = (quote - FST_EACH_BYTE) | (slash - FST_EACH_BYTE)
                           | (bytes - FST_EACH_BYTE * 0x20);
    return found & ~bytes & FST_EACH_BYTE * 0x80;
}

/* Loads less than eight bytes, and spaces behind them. */
FST_INLINE uint64_t
fst_load_with_spaces(const char *text, ptrdiff_t size)
{
    char bytes[8] = "        ";
    char *to = bytes;
    if (size & 4) {
        memcpy(to, text, 4);
        text += 4;
        to += 4;
    }
    if (size & 2) {
        memcpy(to, text, 2);
        text += 2;
        to += 2;
    }
    if (size & 1)
        *to = *text;
    return fst_load_eight(bytes);
}

/* Writes the escape of a byte; returns where to write on. */
FST_INLINE char *
fst_write_escape(char *to, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef", letters[] = "btn\0fr"; /* of 8 to 13 */
    to[0] = '\\';
    if (byte >= 0x20) {
        to[1] = (char)byte;
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
        to[1] = letters[byte - 8];
    } else {
        memcpy(to + 1, "u00", 3);
        to[4] = digits[byte >> 4];
        to[5] = digits[byte & 15];
        return to + 6;
    }
    return to + 2;
}

/* Writes the text of a string in which something may have to be escaped, with its quotes. */
FST_NOINLINE fst_status
fst_write_escaped(fst_output *output, const char *text, size_t size)
{
    enum { SLACK = 16 };        /* an escape, eight bytes of which less are wanted, a quote */
    const char *end = text + size;
    char *to;
    if (!fst_room(output, (ptrdiff_t)size + SLACK))
        return FST_NO_MEMORY;
    to = output->at;
    *to++ = '"';
    while (text < end) {
        const ptrdiff_t left = end - text;
        const uint64_t bytes = left >= 8 ? fst_load_eight(text) : fst_load_with_spaces(text, left);
        const uint64_t escaped = fst_escaped_bytes(bytes);
        const ptrdiff_t plain = escaped != 0 ? fst_trailing_zeros(escaped) >> 3 : 8;
        fst_store_eight(to, bytes);
        if (plain >= left) {
            to += left;
            break;
        }
        text += plain;
        to += plain;
        if (escaped == 0)
            continue;
        to = fst_write_escape(to, (unsigned char)*text++);
        if (output->end - to < end - text + SLACK) {
            output->at = to;
            /* As much again as is left: the output must not be copied for each escape. */
            if (!fst_room(output, 2 * (end - text) + SLACK))
                return FST_NO_MEMORY;
            to = output->at;
        }
    }
    *to++ = '"';
    output->at = to;
    return FST_DONE;
}

FST_INLINE fst_status
fst_write_str(fst_output *output, const fst_cell *str)
{
    char *at;
    if (!(str->flags & FST_CLEAN))
        return fst_write_escaped(output, str->text, str->size);
    if (!fst_room(output, (ptrdiff_t)str->size + 2))
        return FST_NO_MEMORY;
    at = output->at;
    *at++ = '"';
    at = fst_copy_text(at, str->text, str->size);
    *at++ = '"';
    output->at = at;
    return FST_DONE;
}

/* ---------------------------------------------------------------- other values */

/* The depth of what stands in a text, counting those around it, or more than FST_JSON_MOST. */
FST_NOINLINE int
fst_depth_of(const fst_span *text, int outer)
{
    const char *at = text->start, *end = at + text->size;
    int in_string = 0, depth = outer, deepest = outer;
    for (; at < end && deepest <= FST_JSON_MOST; at++) {
        if (in_string) {
            if (*at == '\\')
                at++;
            else if (*at == '"')
                in_string = 0;
        } else if (*at == '"') {
            in_string = 1;
        } else if (*at == '[' || *at == '{') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (*at == ']' || *at == '}') {
            depth--;
        }
    }
    return deepest;
}

/* Whether text of the record has too many containers inside each other for Python functions, if it
 * stands in so many others. */
FST_INLINE int
fst_is_too_deep(const fst_span *text, int outer)
{
    ptrdiff_t brackets = outer, i;
    if (text->size <= 2 * (FST_JSON_MOST - outer))
        return 0;
    for (i = 0; i < text->size; i++)
        brackets += (text->start[i] | 0x20) == '{';     /* '[' becomes '{', too */
    return brackets > FST_JSON_MOST && fst_depth_of(text, outer) > FST_JSON_MOST;
}

FST_INLINE fst_status
fst_write_text(fst_machine *machine, const fst_value *value)
{
    fst_put_canonical(machine->record, machine->output, *value);
    return machine->output->failed ? FST_NO_MEMORY : FST_DONE;
}

FST_INLINE fst_status
fst_write_literal(fst_output *output, const char *text, ptrdiff_t size)
{
    if (!fst_room(output, 8))
        return FST_NO_MEMORY;
    memcpy(output->at, text, (size_t)size);
    output->at += size;
    return FST_DONE;
}

/* Writes a value that is no container of the program, and stands in `outer` containers. */
FST_INLINE fst_status
fst_write_single(fst_machine *machine, const fst_cell *cell, int outer)
{
    fst_output *output = machine->output;
    fst_value value;
    uint64_t magnitude;
    int negative;
    switch (cell->type) {
    case FST_STR:
        return fst_write_str(output, cell);
    case FST_STRING_TEXT:
    case FST_NUMBER_TEXT:
        value = fst_value_of(cell);
        return fst_write_text(machine, &value);
    case FST_INT:
        if (!fst_room(output, FST_INTEGER_ROOM))
            return FST_NO_MEMORY;
        output->at = fst_write_integer(output->at, cell->integer);
        return FST_DONE;
    case FST_BIG:
        FST_TRY(fst_read_magnitude(cell, &magnitude, &negative));
        if (negative)
            return FST_GIVE_BACK;
        if (!fst_room(output, FST_INTEGER_ROOM))
            return FST_NO_MEMORY;
        output->at = fst_write_unsigned(output->at, magnitude);
        return FST_DONE;
    case FST_FLOAT:
        if (cell->number - cell->number != 0)
            return FST_GIVE_BACK;
        if (!fst_room(output, FST_NUMBER_ROOM))
            return FST_NO_MEMORY;
        output->at = fst_write_number(output->at, cell->number);
        return FST_DONE;
    case FST_NONE:
        return fst_write_literal(output, "null", 4);
    case FST_BOOL:
        return cell->integer ? fst_write_literal(output, "true", 4)
                             : fst_write_literal(output, "false", 5);
    case FST_ARRAY_TEXT:
    case FST_OBJECT_TEXT:
        value = fst_value_of(cell);
        return fst_is_too_deep(&value.text, outer) ? FST_GIVE_BACK : fst_write_text(machine, &value);
    case FST_ZONED:
        if (fst_datetime_of(cell)->offset % 60 != 0)
            return FST_GIVE_BACK;
        /* fallthrough */
    case FST_DATE:
    case FST_DATETIME:
        if (machine->refuses_dates)
            return FST_GIVE_BACK;
        machine->wrote_dates = 1;
        if (!fst_room(output, FST_DATE_ROOM))
            return FST_NO_MEMORY;
        output->at = fst_put_json_date(output->at, cell);
        return FST_DONE;
    default:
        return FST_GIVE_BACK;
    }
}

/* ---------------------------------------------------------------- containers */

/* A list or dict that is being written. */
typedef struct fst_written {
    const fst_cell *container;
    uint32_t place;             /* of the next item or entry */
} fst_written;

/* Writes what stands before the next value in a container: a comma, a name, or else the bracket at
 * the end, where the value is NULL. */
FST_INLINE fst_status
fst_write_gap(fst_machine *machine, fst_written *written, const fst_cell **value)
{
    fst_output *output = machine->output;
    const fst_entry *entry;
    *value = NULL;
    if (!fst_room(output, 8))
        return FST_NO_MEMORY;
    if (written->container->type == FST_INSTANCE) {
        const fst_list *list = (const fst_list *)written->container->object;
        if (written->place == list->count) {
            *output->at++ = '}';
            return FST_DONE;
        }
        *output->at = ',';
        output->at += written->place > 0;
        *value = &list->items[written->place++];
        FST_TRY(fst_write_str(
            output, &fst_class_of_instance(machine, written->container)->items[written->place]));
        return fst_write_literal(output, ":", 1);
    }
    if (written->container->type != FST_DICT) {
        const fst_list *list = (const fst_list *)written->container->object;
        if (written->place == list->count) {
            *output->at++ = ']';
            return FST_DONE;
        }
        *output->at = ',';
        output->at += written->place > 0;
        *value = &list->items[written->place++];
        return FST_DONE;
    }
    entry = fst_next_entry((const fst_dict *)written->container->object, &written->place);
    if (entry == NULL) {
        *output->at++ = '}';
        return FST_DONE;
    }
    *value = &entry->value;
    if (entry->key.type != FST_STR)
        return FST_GIVE_BACK;
    if (output->at[-1] != '{')      /* the first one may be behind entries that were deleted */
        *output->at++ = ',';
    FST_TRY(fst_write_str(output, &entry->key));
    return fst_write_literal(output, ":", 1);
}

/* Whether the results of the record take more memory than a program may use. */
FST_INLINE int
fst_is_too_long(const fst_output *output)
{
    return output->at - output->first > FST_ARENA_MOST;
}

FST_INLINE int
fst_is_written_by_parts(const fst_cell *cell)
{
    return cell->type == FST_LIST || cell->type == FST_TUPLE || cell->type == FST_DICT
           || cell->type == FST_INSTANCE;
}

/* Results with instances and with dates are written in two ways by Python. */
FST_NOINLINE fst_status
fst_begin_instance(fst_machine *machine, const fst_cell *cell)
{
    const int64_t flags = fst_class_of_instance(machine, cell)->items[0].integer;
    if (!(flags & FST_CLASS_WRITTEN) || machine->wrote_dates)
        return FST_GIVE_BACK;
    machine->refuses_dates = 1;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_write_container(fst_machine *machine, const fst_cell *cell, int outer)
{
    fst_written stack[FST_WRITE_MOST];
    fst_output *output = machine->output;
    int depth = 0;
    for (;;) {
        if (cell == NULL) {
            if (--depth == 0)
                return FST_DONE;
        } else if (fst_is_written_by_parts(cell)) {
            if (depth == FST_WRITE_MOST || outer + depth == FST_JSON_MOST)
                return FST_GIVE_BACK;
            if (!fst_room(output, 1))
                return FST_NO_MEMORY;
            if (cell->type == FST_INSTANCE)
                FST_TRY(fst_begin_instance(machine, cell));
            *output->at++ = cell->type == FST_DICT || cell->type == FST_INSTANCE ? '{' : '[';
            stack[depth].container = cell;
            stack[depth++].place = 0;
        } else {
            FST_TRY(fst_write_single(machine, cell, outer + depth));
        }
        FST_TRY(fst_write_gap(machine, &stack[depth - 1], &cell));
        if (--machine->fuel < 0 || fst_is_too_long(output))
            return FST_GIVE_BACK;
    }
}

/* Writes a value to the machine's output, which stands in so many containers. */
FST_INLINE fst_status
fst_write_value(fst_machine *machine, const fst_cell *cell, int outer)
{
    if (fst_is_written_by_parts(cell))
        return fst_write_container(machine, cell, outer);
    return fst_write_single(machine, cell, outer);
}

#endif
