/* compare.h: equality, order and truth of values.
 *
 * In a container Python takes an object to be equal to itself without comparing it. Cells do not tell
 * objects apart, which makes a difference for NaN alone: two of them within containers are given
 * back. */
#ifndef FST_VM_COMPARE_H
#define FST_VM_COMPARE_H

#include "big_integers.h"
#include "date_values.h"
#include "decimal_operators.h"
#include "dicts.h"

enum {
    FST_MATCHED_BYTES = 256,    /* of equal texts, which cost as much as an instruction */
    FST_COMPARE_DEPTH = 64,     /* nested containers; deeper ones are given back */
    FST_UNORDERED = 2           /* what fst_order says of NaN */
};

FST_INLINE int
fst_same_str(const fst_cell *a, const fst_cell *b)
{
    return a->size == b->size && fst_same_text(a->text, b->text, a->size);
}

/* Strings are ordered by code points, which is the order of the bytes of UTF-8. */
FST_INLINE int
fst_order_str(const fst_cell *a, const fst_cell *b)
{
    const int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    if (order != 0)
        return order < 0 ? -1 : 1;
    return (a->size > b->size) - (a->size < b->size);
}

/* ---------------------------------------------------------------- numbers */

FST_INLINE int
fst_order_doubles(double a, double b)
{
    if (a != a || b != b)
        return FST_UNORDERED;
    return (a > b) - (a < b);
}

/* The exact order: an integer of 64 bits may be rounded when it is converted to a double. */
FST_INLINE int
fst_order_mixed(int64_t integer, double number)
{
    int64_t whole;
    if (number != number)
        return FST_UNORDERED;
    if (number >= 9223372036854775808.0)
        return -1;
    if (number < -9223372036854775808.0)
        return 1;
    whole = (int64_t)number;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    return fst_order_doubles((double)whole, number);
}

/* Returns -1, 0 or 1 as one number is less than, equal to or greater than the other. */
FST_INLINE int
fst_order_numbers(const fst_cell *a, const fst_cell *b)
{
    if (a->type == FST_FLOAT) {
        int order;
        if (b->type == FST_FLOAT)
            return fst_order_doubles(a->number, b->number);
        order = fst_order_mixed(b->integer, a->number);
        return order == FST_UNORDERED ? order : -order;
    }
    if (b->type == FST_FLOAT)
        return fst_order_mixed(a->integer, b->number);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

/* ---------------------------------------------------------------- kinds of values */

/* Classes of values that may be equal to each other, or ordered. */
typedef enum fst_class {
    FST_NO_CLASS,               /* not known, or compared in a way of its own */
    FST_NONES,
    FST_NUMBERS,
    FST_STRS,
    FST_LISTS,
    FST_TUPLES,
    FST_DICTS,
    FST_SETS,                   /* and what keys() gives */
    FST_DURATIONS,
    FST_DATES,
    FST_TIMES,
    FST_CLOCKS,
    FST_ADDRESSES,
    FST_INSTANCES,              /* that are equal if their fields are */
    FST_OTHERS                  /* equal to no value of another class */
} fst_class;

FST_INLINE fst_class
fst_class_of(const fst_cell *cell)
{
    switch (cell->type) {
    case FST_NONE:
        return FST_NONES;
    case FST_BOOL:
    case FST_INT:
    case FST_FLOAT:
        return FST_NUMBERS;
    case FST_STR:
        return FST_STRS;
    case FST_LIST:
        return FST_LISTS;
    case FST_TUPLE:
        return FST_TUPLES;
    case FST_DICT:
        /* Counters are ordered, and what they lack counts as 0. */
        return ((const fst_dict *)cell->object)->missing == FST_MISSING_COUNT ? FST_NO_CLASS
                                                                             : FST_DICTS;
    case FST_SET:
        return FST_SETS;
    case FST_VIEW:
        return cell->flags == FST_KEYS ? FST_SETS : FST_NO_CLASS;
    case FST_TIMEDELTA:
        return FST_DURATIONS;
    case FST_DATE:
        return FST_DATES;
    case FST_DATETIME:
        return FST_TIMES;
    case FST_CLOCK:
        return FST_CLOCKS;
    case FST_ADDRESS:
        return FST_ADDRESSES;
    case FST_INSTANCE:
        return cell->flags & FST_EQUAL_BY_FIELDS ? FST_INSTANCES : FST_NO_CLASS;
    case FST_RANGE:
    case FST_ITERATOR:
    case FST_PATTERN:
    case FST_MATCH:
        return FST_OTHERS;
    default:
        return FST_NO_CLASS;
    }
}

FST_INLINE fst_status
fst_settle_pair(fst_machine *machine, fst_cell *a, fst_cell *b)
{
    FST_TRY(fst_settle(machine, a));
    FST_TRY(fst_settle(machine, b));
    FST_TRY(fst_shallow(machine, a));
    return fst_shallow(machine, b);
}

/* ---------------------------------------------------------------- equality */

FST_NOINLINE fst_status
fst_equal_nested(fst_machine *machine, fst_cell *a, fst_cell *b, int depth, int *result);

FST_INLINE fst_status
fst_equal_lists(
    fst_machine *machine, const fst_list *a, const fst_list *b, int depth, int *result)
{
    uint32_t i;
    *result = a->count == b->count;
    for (i = 0; *result && i < a->count; i++)
        FST_TRY(fst_equal_nested(machine, &a->items[i], &b->items[i], depth + 1, result));
    return FST_DONE;
}

FST_INLINE fst_status
fst_equal_dicts(
    fst_machine *machine, const fst_dict *a, const fst_dict *b, int depth, int *result)
{
    fst_entry *entry;
    fst_cell *value;
    uint32_t place = 0;
    *result = a->count == b->count;
    while (*result && (entry = fst_next_entry(a, &place)) != NULL) {
        FST_TRY(fst_dict_get(machine, b, &entry->key, &value));
        if (value == NULL)
            *result = 0;
        else
            FST_TRY(fst_equal_nested(machine, &entry->value, value, depth + 1, result));
    }
    return FST_DONE;
}

/* Counts the members of a set that are in another one. */
FST_NOINLINE fst_status
fst_count_common(
    fst_machine *machine, const fst_dict *set, const fst_dict *others, uint32_t *count)
{
    uint32_t place = 0;
    fst_entry *entry;
    fst_cell *value;
    *count = 0;
    machine->fuel -= set->used;
    while ((entry = fst_next_entry(set, &place)) != NULL) {
        FST_TRY(fst_dict_get(machine, others, &entry->key, &value));
        *count += value != NULL;
    }
    return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
}

/* Sets are ordered by which contains the other one. */
FST_NOINLINE fst_status
fst_order_sets(fst_machine *machine, const fst_dict *a, const fst_dict *b, int *order)
{
    uint32_t common;
    FST_TRY(fst_count_common(machine, a, b, &common));
    if (common < a->count && common < b->count)
        *order = FST_UNORDERED;
    else
        *order = (a->count > b->count) - (a->count < b->count);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_equal_nested(fst_machine *machine, fst_cell *a, fst_cell *b, int depth, int *result)
{
    fst_class class_of_a, class_of_b;
    int order;
    if (depth == FST_COMPARE_DEPTH || --machine->fuel < 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_settle_pair(machine, a, b));
    class_of_a = fst_class_of(a);
    class_of_b = fst_class_of(b);
    if (class_of_a == FST_NO_CLASS || class_of_b == FST_NO_CLASS) {
        if (fst_is_decimal(a) || fst_is_decimal(b)) {
            if (fst_order_decimals(a, b, &order) == FST_GIVE_BACK)
                return FST_GIVE_BACK;
        } else if (!fst_order_with_big(a, b, &order)) {
            return FST_GIVE_BACK;
        }
        *result = order == 0;
        return FST_DONE;
    }
    *result = 0;
    if (class_of_a != class_of_b)
        return FST_DONE;
    switch (class_of_a) {
    case FST_NONES:
        *result = 1;
        return FST_DONE;
    case FST_NUMBERS:
        if (depth > 0 && a->type == FST_FLOAT && b->type == FST_FLOAT
            && a->number != a->number && b->number != b->number)
            return FST_GIVE_BACK;
        *result = fst_order_numbers(a, b) == 0;
        return FST_DONE;
    case FST_STRS:
        *result = fst_same_str(a, b);
        machine->fuel -= a->size / FST_MATCHED_BYTES;
        return FST_DONE;
    case FST_INSTANCES:
        if (a->size != b->size)
            return FST_GIVE_BACK;
        /* fallthrough */
    case FST_LISTS:
    case FST_TUPLES:
        return fst_equal_lists(
            machine, (const fst_list *)a->object, (const fst_list *)b->object, depth, result);
    case FST_DICTS:
        return fst_equal_dicts(
            machine, (const fst_dict *)a->object, (const fst_dict *)b->object, depth, result);
    case FST_SETS:
        FST_TRY(fst_order_sets(
            machine, (const fst_dict *)a->object, (const fst_dict *)b->object, result));
        *result = *result == 0;
        return FST_DONE;
    case FST_DURATIONS:
    case FST_ADDRESSES:
        *result = a->integer == b->integer;
        return FST_DONE;
    case FST_DATES:
    case FST_TIMES:
    case FST_CLOCKS:
        *result = fst_are_comparable(a, b) && fst_order_dates(a, b) == 0;
        return FST_DONE;
    default:
        return FST_GIVE_BACK;
    }
}

/* ==. Both may be settled. */
FST_INLINE fst_status
fst_equal(fst_machine *machine, fst_cell *a, fst_cell *b, int *result)
{
    return fst_equal_nested(machine, a, b, 0, result);
}

/* Equality as it is used to search a container for an item. */
FST_INLINE fst_status
fst_equal_item(fst_machine *machine, fst_cell *a, fst_cell *b, int *result)
{
    if (a->type == FST_STR && b->type == FST_STR) {
        *result = fst_same_str(a, b);
        machine->fuel -= 1 + a->size / FST_MATCHED_BYTES;
        return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
    }
    return fst_equal_nested(machine, a, b, 1, result);
}

/* ---------------------------------------------------------------- order */

/* The order of the first items that differ is the order of the sequences. */
FST_NOINLINE fst_status
fst_order_nested(fst_machine *machine, fst_cell *a, fst_cell *b, int depth, int *order)
{
    const fst_list *left, *right;
    fst_class class_of_a, class_of_b;
    uint32_t i;
    int equal;
    for (;;) {
        if (depth == FST_COMPARE_DEPTH || --machine->fuel < 0)
            return FST_GIVE_BACK;
        FST_TRY(fst_settle_pair(machine, a, b));
        class_of_a = fst_class_of(a);
        class_of_b = fst_class_of(b);
        if (class_of_a == FST_NO_CLASS || class_of_a == FST_OTHERS
            || class_of_b == FST_NO_CLASS || class_of_b == FST_OTHERS) {
            if (fst_is_decimal(a) || fst_is_decimal(b))
                return fst_order_decimals(a, b, order);
            return fst_order_with_big(a, b, order) ? FST_DONE : FST_GIVE_BACK;
        }
        if (class_of_a != class_of_b)
            return FST_TYPE_ERROR;
        switch (class_of_a) {
        case FST_NUMBERS:
            *order = fst_order_numbers(a, b);
            return FST_DONE;
        case FST_STRS:
            *order = fst_order_str(a, b);
            machine->fuel -= a->size / FST_MATCHED_BYTES;
            return FST_DONE;
        case FST_DATES:
        case FST_TIMES:
        case FST_CLOCKS:
            if (!fst_are_comparable(a, b))
                return FST_TYPE_ERROR;
            *order = fst_order_dates(a, b);
            return FST_DONE;
        case FST_DURATIONS:
        case FST_ADDRESSES:
            *order = (a->integer > b->integer) - (a->integer < b->integer);
            return FST_DONE;
        case FST_SETS:
            return fst_order_sets(
                machine, (const fst_dict *)a->object, (const fst_dict *)b->object, order);
        case FST_INSTANCES:
            if (a->size != b->size || !(a->flags & FST_ORDERED_BY_FIELDS))
                return FST_GIVE_BACK;
            break;
        case FST_LISTS:
        case FST_TUPLES:
            break;
        case FST_NONES:
        case FST_DICTS:
            return FST_TYPE_ERROR;
        default:
            return FST_GIVE_BACK;
        }
        left = (const fst_list *)a->object;
        right = (const fst_list *)b->object;
        for (i = 0;; i++) {
            if (i == left->count || i == right->count) {
                *order = (left->count > right->count) - (left->count < right->count);
                return FST_DONE;
            }
            FST_TRY(fst_equal_nested(
                machine, &left->items[i], &right->items[i], depth + 1, &equal));
            if (!equal)
                break;
        }
        a = &left->items[i];
        b = &right->items[i];
        depth++;
    }
}

/* The order of two values for <, <=, > and >=: -1, 0, 1 or FST_UNORDERED. Both may be settled. */
FST_INLINE fst_status
fst_order(fst_machine *machine, fst_cell *a, fst_cell *b, int *order)
{
    return fst_order_nested(machine, a, b, 0, order);
}

/* ---------------------------------------------------------------- truth */

/* How many items a range has. */
FST_INLINE uint64_t
fst_range_size(const fst_range *range)
{
    const uint64_t start = (uint64_t)range->start, stop = (uint64_t)range->stop;
    if (range->step > 0)
        return range->start < range->stop ? (stop - start - 1) / (uint64_t)range->step + 1 : 0;
    return range->start > range->stop ? (start - stop - 1) / (0 - (uint64_t)range->step) + 1 : 0;
}

FST_INLINE int
fst_is_empty_text(const fst_cell *cell)
{
    const char *at = cell->text + 1;
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
        at++;
    return *at == ']' || *at == '}';
}

FST_NOINLINE fst_status
fst_truth_of_others(fst_machine *machine, fst_cell *cell, int *result)
{
    FST_TRY(fst_settle(machine, cell));
    switch (cell->type) {
    case FST_NONE:
        *result = 0;
        return FST_DONE;
    case FST_BOOL:
    case FST_INT:
    case FST_TIMEDELTA:
        *result = cell->integer != 0;
        return FST_DONE;
    case FST_FLOAT:
        *result = cell->number != 0;
        return FST_DONE;
    case FST_DECIMAL:
        *result = fst_truth_of_decimal(cell);
        return FST_DONE;
    case FST_STR:
    case FST_BYTES:
        *result = cell->size != 0;
        return FST_DONE;
    case FST_ARRAY_TEXT:
    case FST_OBJECT_TEXT:
        *result = !fst_is_empty_text(cell);
        return FST_DONE;
    case FST_LIST:
    case FST_TUPLE:
    case FST_DEQUE:
        *result = ((const fst_list *)cell->object)->count != 0;
        return FST_DONE;
    case FST_DICT:
    case FST_SET:
    case FST_VIEW:
        *result = ((const fst_dict *)cell->object)->count != 0;
        return FST_DONE;
    case FST_RANGE:
        *result = fst_range_size((const fst_range *)cell->object) != 0;
        return FST_DONE;
    case FST_INSTANCE:
        *result = 1;
        return cell->flags & FST_TRUTH_UNKNOWN ? FST_GIVE_BACK : FST_DONE;
    case FST_UNSET:
        return FST_GIVE_BACK;
    default:
        *result = 1;
        return FST_DONE;
    }
}

/* The truth value of a value. */
FST_INLINE fst_status
fst_truth(fst_machine *machine, fst_cell *cell, int *result)
{
    if (cell->type == FST_BOOL) {
        *result = (int)cell->integer;
        return FST_DONE;
    }
    return fst_truth_of_others(machine, cell, result);
}

#endif
