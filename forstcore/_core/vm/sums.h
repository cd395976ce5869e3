/* sums.h: sum(), min() and max(). */
#ifndef FST_VM_SUMS_H
#define FST_VM_SUMS_H

#include <limits.h>
#include <math.h>

#include "sequences.h"

enum { FST_MIN_MOST = 6 };      /* arguments of min and max */

/* ---------------------------------------------------------------- sum */

typedef enum fst_adding {
    FST_ADD_INTEGERS,
    FST_ADD_DOUBLES,            /* with compensation from Python 3.12 on */
    FST_ADD_PLAINLY             /* as + does */
} fst_adding;

/* As CPython's sum(): it adds integers as long as they fit into a long, then doubles, then anything
 * else. */
typedef struct fst_sum {
    fst_adding adding;
    int is_double;
    int64_t integer;
    double number;
    double lost;                /* to rounding (Neumaier) */
} fst_sum;

FST_INLINE void
fst_add_compensated(fst_sum *sum, double number)
{
#if PY_VERSION_HEX >= 0x030c0000
    const double both = sum->number + number;
    sum->lost += fabs(sum->number) >= fabs(number) ? (sum->number - both) + number
                                                   : (number - both) + sum->number;
    sum->number = both;
#else
    sum->number += number;
#endif
}

/* Ends the addition of doubles. */
FST_INLINE void
fst_compensate(fst_sum *sum)
{
    if (sum->lost != 0 && sum->lost - sum->lost == 0)
        sum->number += sum->lost;
    sum->lost = 0;
}

FST_NOINLINE fst_status
fst_add_plainly(fst_sum *sum, const fst_cell *item)
{
    fst_compensate(sum);
    if (item->type == FST_FLOAT || sum->is_double) {
        /* The first float ends the addition of integers, but begins that of doubles only if the
         * integers have fit into a long. */
        const double number = item->type == FST_FLOAT ? item->number : (double)item->integer;
        sum->number = (sum->is_double ? sum->number : (double)sum->integer) + number;
        if (sum->adding == FST_ADD_INTEGERS)
            sum->adding = FST_ADD_DOUBLES;
        sum->is_double = 1;
        return FST_DONE;
    }
    if (item->integer >= 0 ? sum->integer > INT64_MAX - item->integer
                           : sum->integer < INT64_MIN - item->integer)
        return FST_GIVE_BACK;
    sum->integer += item->integer;
    return FST_DONE;
}

FST_INLINE fst_status
fst_add_to_sum(fst_sum *sum, const fst_cell *item)
{
    if (fst_class_of(item) != FST_NUMBERS)
        return fst_class_of(item) < FST_SETS && fst_class_of(item) != FST_NO_CLASS
            ? FST_TYPE_ERROR : FST_GIVE_BACK;
    if (sum->adding == FST_ADD_INTEGERS && item->type != FST_FLOAT) {
        if (item->integer >= 0 ? sum->integer <= LONG_MAX - item->integer
                               : sum->integer >= LONG_MIN - item->integer) {
            sum->integer += item->integer;
            return FST_DONE;
        }
        sum->adding = FST_ADD_PLAINLY;
    } else if (sum->adding == FST_ADD_DOUBLES) {
        if (item->type == FST_FLOAT) {
            fst_add_compensated(sum, item->number);
            return FST_DONE;
        }
#if PY_VERSION_HEX >= 0x030e0000
        fst_add_compensated(sum, (double)item->integer);
        return FST_DONE;
#else
        if (item->integer >= LONG_MIN && item->integer <= LONG_MAX) {
#if PY_VERSION_HEX >= 0x030c0000
            /* Compensated or not, depending on the version; mostly that is the same. */
            const double lost = sum->lost;
            fst_add_compensated(sum, (double)item->integer);
            return sum->lost == lost ? FST_DONE : FST_GIVE_BACK;
#else
            sum->number += (double)item->integer;
            return FST_DONE;
#endif
        }
        fst_compensate(sum);
        sum->adding = FST_ADD_PLAINLY;
#endif
    }
    return fst_add_plainly(sum, item);
}

/* sum(lists, list): a list of all their items. */
FST_NOINLINE fst_status
fst_sum_of_lists(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell iterator, item, result = arguments[1];
    fst_list *list = NULL;
    int more;
    FST_TRY(fst_iterate_cell(machine, &iterator, &arguments[0]));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            break;
        FST_TRY(fst_shallow(machine, &item));
        if (item.type != FST_LIST)
            return FST_GIVE_BACK;
        if (list == NULL) {
            FST_TRY(fst_collect(machine, &result, FST_LIST, &arguments[1], 0));
            list = (fst_list *)result.object;
        }
        FST_TRY(fst_extend(machine, list, &item));
    }
    *to = result;
    return FST_DONE;
}

/* Goes on with a sum from the first decimal on. */
FST_NOINLINE fst_status
fst_sum_of_decimals(
    fst_machine *machine, fst_cell *to, fst_cell *sum, fst_cell *iterator, fst_cell *item)
{
    int more = 1;
    for (; more; ) {
        fst_cell next;
        FST_TRY(fst_operate_on_decimals(machine, FST_OP_ADD, &next, sum, item));
        *sum = next;
        FST_TRY(fst_next_item(machine, iterator, item, &more));
        FST_TRY(fst_settle(machine, item));
    }
    *to = *sum;
    return FST_DONE;
}

/* sum(iterable, start?) */
FST_NOINLINE fst_status
fst_sum_of(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_sum sum = {FST_ADD_INTEGERS, 0, 0, 0, 0};
    fst_cell iterator, item, before;
    int more, is_decimal = 0;
    if (arguments[1].type != FST_UNSET) {
        FST_TRY(fst_settle(machine, &arguments[1]));
        if (arguments[1].type == FST_FLOAT) {
            sum.adding = FST_ADD_DOUBLES;
            sum.is_double = 1;
            sum.number = arguments[1].number;
        } else if (arguments[1].type == FST_LIST) {
            return fst_sum_of_lists(machine, to, arguments);
        } else if (fst_is_decimal(&arguments[1])) {
            is_decimal = 1;
        } else if (arguments[1].type != FST_INT) {
            return FST_GIVE_BACK;
        } else if (arguments[1].integer > LONG_MAX || arguments[1].integer < LONG_MIN) {
            return FST_GIVE_BACK;
        } else {
            sum.integer = arguments[1].integer;
        }
    }
    FST_TRY(fst_iterate_in_order(machine, &iterator, &arguments[0], 1));
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            break;
        FST_TRY(fst_settle(machine, &item));
        /* A set of floats has no order in which to add them. */
        if (item.type == FST_FLOAT && arguments[0].type == FST_SET)
            return FST_GIVE_BACK;
        if (is_decimal || fst_is_decimal(&item)) {
            fst_compensate(&sum);
            before = is_decimal ? arguments[1]
                     : sum.is_double ? fst_float(sum.number) : fst_int(sum.integer);
            return fst_sum_of_decimals(machine, to, &before, &iterator, &item);
        }
        FST_TRY(fst_add_to_sum(&sum, &item));
    }
    fst_compensate(&sum);
    *to = is_decimal ? arguments[1] : sum.is_double ? fst_float(sum.number) : fst_int(sum.integer);
    return FST_DONE;
}

/* ---------------------------------------------------------------- min and max */

/* Keeps the first of the least values, or of the greatest. */
FST_INLINE fst_status
fst_take_extreme(
    fst_machine *machine, int wanted, fst_cell *best, fst_cell *item)
{
    int order;
    FST_TRY(fst_order(machine, item, best, &order));
    if (order == wanted)
        *best = *item;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_extreme_of_items(
    fst_machine *machine, fst_cell *to, fst_cell *from, fst_cell *otherwise, int wanted)
{
    fst_cell iterator, item, best;
    fst_status status;
    int more;
    FST_TRY(fst_iterate_in_order(machine, &iterator, from, 1));
    FST_TRY(fst_next_item(machine, &iterator, &best, &more));
    if (!more) {
        if (otherwise->type == FST_UNSET)
            return FST_VALUE_ERROR;
        *to = *otherwise;
        return FST_DONE;
    }
    for (;;) {
        FST_TRY(fst_next_item(machine, &iterator, &item, &more));
        if (!more)
            break;
        status = fst_take_extreme(machine, wanted, &best, &item);
        /* Which members of a set are compared depends on its order. */
        if (status != FST_DONE)
            return from->type == FST_SET ? FST_GIVE_BACK : status;
    }
    *to = best;
    return FST_DONE;
}

/* Of several arguments, or of one that is iterated; then default? */
FST_NOINLINE fst_status
fst_extreme(fst_machine *machine, fst_cell *to, fst_cell *arguments, int wanted)
{
    fst_cell *otherwise = &arguments[FST_MIN_MOST], best = arguments[0];
    int i;
    if (arguments[1].type == FST_UNSET)
        return fst_extreme_of_items(machine, to, &arguments[0], otherwise, wanted);
    if (otherwise->type != FST_UNSET)
        return FST_TYPE_ERROR;
    for (i = 1; i < FST_MIN_MOST && arguments[i].type != FST_UNSET; i++)
        FST_TRY(fst_take_extreme(machine, wanted, &best, &arguments[i]));
    *to = best;
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_min(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_extreme(machine, to, arguments, -1);
}

FST_NOINLINE fst_status
fst_max(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_extreme(machine, to, arguments, 1);
}

#endif
