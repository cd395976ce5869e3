/* operators.h: Python's operators, dispatched by the types of their operands. */
#ifndef FST_VM_OPERATORS_H
#define FST_VM_OPERATORS_H

#include "opcodes.h"
#include "big_integers.h"
#include "containers.h"
#include "dates.h"
#include "numbers.h"
#include "percent.h"
#include "str_methods.h"

FST_INLINE int
fst_is_sequence(const fst_cell *cell)
{
    return cell->type == FST_LIST || cell->type == FST_TUPLE;
}

FST_INLINE int
fst_is_date(const fst_cell *cell)
{
    return cell->type >= FST_DATETIME && cell->type <= FST_TIMEDELTA;
}

/* Whether it has one of the types whose operators are all here. */
FST_INLINE int
fst_is_plain_type(const fst_cell *cell)
{
    return (cell->type >= FST_NONE && cell->type <= FST_STR)
           || (cell->type >= FST_LIST && cell->type <= FST_SET);
}

/* The operators on a duration and a number or another duration. */
FST_NOINLINE fst_status
fst_operate_on_duration(
    fst_machine *machine, int code, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    const int by_number = right->type != FST_TIMEDELTA;
    switch (code) {
    case FST_OP_MULTIPLY:
        return by_number ? fst_duration_times(to, left, right) : FST_TYPE_ERROR;
    case FST_OP_DIVIDE:
        return by_number ? FST_GIVE_BACK : fst_duration_divide(machine, to, left, right);
    case FST_OP_FLOOR_DIVIDE:
        return fst_duration_floor_divide(machine, to, left, right);
    case FST_OP_MODULO:
        return by_number ? FST_TYPE_ERROR : fst_duration_modulo(machine, to, left, right);
    default:
        return FST_GIVE_BACK;
    }
}

/* The operators on dates, times and durations. */
FST_NOINLINE fst_status
fst_operate_on_dates(
    fst_machine *machine, int code, fst_cell *to, fst_cell *left, fst_cell *right)
{
    if (fst_is_date(left) && fst_is_date(right)) {
        if (code == FST_OP_ADD)
            return fst_date_add(machine, to, left, right);
        if (code == FST_OP_SUBTRACT)
            return fst_date_subtract(machine, to, left, right);
    }
    if (left->type == FST_TIMEDELTA && (fst_is_number(right) || right->type == FST_TIMEDELTA))
        return fst_operate_on_duration(machine, code, to, left, right);
    if (right->type == FST_TIMEDELTA && fst_is_number(left) && code == FST_OP_MULTIPLY)
        return fst_operate_on_duration(machine, code, to, right, left);
    return FST_GIVE_BACK;
}

/* The operators on anything but two numbers. */
FST_NOINLINE fst_status
fst_operate_on_others(
    fst_machine *machine, int code, fst_cell *to, fst_cell *left, fst_cell *right)
{
    if (left->type == FST_ZONED && right->type == FST_TIMEDELTA
        && (code == FST_OP_ADD || code == FST_OP_SUBTRACT))
        return fst_move_in_zone(
            machine, to, left, code == FST_OP_ADD ? right->integer : -right->integer);
    if (left->type == FST_BIG || right->type == FST_BIG)
        return fst_operate_on_big(machine, code, to, left, right);
    if (fst_is_date(left) || fst_is_date(right))
        return fst_operate_on_dates(machine, code, to, left, right);
    if (fst_is_decimal(left) || (fst_is_decimal(right) && left->type != FST_STR))
        return fst_operate_on_decimals(machine, code, to, left, right);
    FST_TRY(fst_shallow(machine, left));
    FST_TRY(fst_shallow(machine, right));
    if (fst_is_special_dict(left) || fst_is_special_dict(right))
        return FST_GIVE_BACK;
    switch (code) {
    case FST_OP_ADD:
        if (left->type == FST_STR && right->type == FST_STR)
            return fst_str_concat(machine, to, left, right);
        if (fst_is_sequence(left) && left->type == right->type)
            return fst_concatenate(machine, to, left, right);
        break;
    case FST_OP_SUBTRACT:
        if (fst_is_set_like(left) && fst_is_set_like(right))
            return fst_set_operation(machine, to, code, left, right);
        break;
    case FST_OP_MULTIPLY:
        if (right->type == FST_STR || fst_is_sequence(right)) {
            fst_cell *const number = left;
            left = right;
            right = number;
        }
        if (right->type == FST_INT && left->type == FST_STR)
            return fst_str_repeat(machine, to, left, right);
        if (right->type == FST_INT && fst_is_sequence(left))
            return fst_repeat(machine, to, left, right);
        if (right->type == FST_BOOL)
            return FST_GIVE_BACK;
        break;
    case FST_OP_MODULO:
        if (left->type == FST_STR)
            return fst_percent(machine, to, left, right);
        break;
    case FST_OP_AND:
    case FST_OP_OR:
    case FST_OP_XOR:
        if (fst_is_set_like(left) && fst_is_set_like(right))
            return fst_set_operation(machine, to, code, left, right);
        if (code == FST_OP_OR && left->type == FST_DICT && right->type == FST_DICT)
            return fst_dict_union(machine, to, left, right);
        break;
    default:
        break;
    }
    return fst_is_plain_type(left) && fst_is_plain_type(right) ? FST_TYPE_ERROR : FST_GIVE_BACK;
}

FST_INLINE fst_status
fst_operate_on_numbers(
    fst_machine *machine, int code, fst_cell *to, fst_cell *left, fst_cell *right)
{
    switch (code) {
    case FST_OP_ADD:
        return fst_add(machine, to, left, right);
    case FST_OP_SUBTRACT:
        return fst_subtract(machine, to, left, right);
    case FST_OP_MULTIPLY:
        return fst_times(machine, to, left, right);
    case FST_OP_DIVIDE:
        return fst_true_divide(machine, to, left, right);
    case FST_OP_FLOOR_DIVIDE:
        return fst_floor_divide(machine, to, left, right);
    case FST_OP_MODULO:
        return fst_modulo(machine, to, left, right);
    case FST_OP_POWER:
        return fst_raise(machine, to, left, right);
    case FST_OP_AND:
        return fst_and(machine, to, left, right);
    case FST_OP_OR:
        return fst_or(machine, to, left, right);
    case FST_OP_XOR:
        return fst_xor(machine, to, left, right);
    case FST_OP_SHIFT_LEFT:
        return fst_shift_left(machine, to, left, right);
    case FST_OP_SHIFT_RIGHT:
        return fst_shift_right(machine, to, left, right);
    default:
        return FST_GIVE_BACK;
    }
}

FST_INLINE fst_status
fst_operate(fst_machine *machine, int code, fst_cell *to, fst_cell *left, fst_cell *right)
{
    fst_status status;
    FST_TRY(fst_settle(machine, left));
    FST_TRY(fst_settle(machine, right));
    if (!fst_is_number(left) || !fst_is_number(right))
        return fst_operate_on_others(machine, code, to, left, right);
    status = fst_operate_on_numbers(machine, code, to, left, right);
    if (FST_UNLIKELY(status == FST_GIVE_BACK))
        return fst_operate_on_big(machine, code, to, left, right);
    return status;
}

FST_INLINE int
fst_is_container(const fst_cell *cell)
{
    return cell->type == FST_LIST || cell->type == FST_DICT || cell->type == FST_SET
           || cell->type == FST_ARRAY_TEXT || cell->type == FST_OBJECT_TEXT;
}

/* `left += right`, which changes a list. */
FST_INLINE fst_status
fst_add_in_place(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    if (!fst_is_container(left))
        return fst_operate(machine, FST_OP_ADD, to, left, right);
    if (left->type != FST_LIST || ((fst_list *)left->object)->frozen)
        return FST_GIVE_BACK;
    FST_TRY(fst_extend(machine, (fst_list *)left->object, right));
    *to = *left;
    return FST_DONE;
}

/* `left |= right`, which changes a dict or a set. */
FST_INLINE fst_status
fst_or_in_place(fst_machine *machine, fst_cell *to, fst_cell *left, fst_cell *right)
{
    fst_dict *dict = (fst_dict *)left->object;
    if (!fst_is_container(left))
        return fst_operate(machine, FST_OP_OR, to, left, right);
    if ((left->type != FST_DICT && left->type != FST_SET) || dict->frozen || dict->missing)
        return FST_GIVE_BACK;
    if (left->type == FST_DICT)
        FST_TRY(fst_update_dict(machine, dict, right));
    else if (right->type == FST_SET)
        FST_TRY(fst_add_members(machine, dict, right));
    else
        return FST_GIVE_BACK;
    *to = *left;
    return FST_DONE;
}

FST_INLINE fst_status
fst_operate_on_one(fst_machine *machine, int code, fst_cell *to, fst_cell *operand)
{
    FST_TRY(fst_settle(machine, operand));
    if (operand->type == FST_TIMEDELTA && code == FST_OP_NEGATE) {
        *to = fst_duration(-operand->integer);
        return FST_DONE;
    }
    if (fst_is_decimal(operand) && code != FST_OP_INVERT)
        return fst_sign_decimal(
            machine, to, operand,
            (code == FST_OP_NEGATE) != ((operand->flags & FST_NEGATIVE) != 0));
    if (!fst_is_number(operand))
        return FST_GIVE_BACK;
    switch (code) {
    case FST_OP_NEGATE:
        return fst_negate(machine, to, operand);
    case FST_OP_POSITIVE:
        return fst_positive(machine, to, operand);
    default:
        return fst_invert(machine, to, operand);
    }
}

/* <, <=, >, >= of values that Python orders. */
FST_INLINE fst_status
fst_is_ordered(fst_machine *machine, int code, int *result, fst_cell *left, fst_cell *right)
{
    /* A bit for each order that makes it true: -1, 0, 1, and FST_UNORDERED. */
    static const uint8_t orders[] = {1, 1 | 2, 4, 4 | 2};
    int order = 0;
    FST_TRY(fst_settle(machine, left));
    FST_TRY(fst_settle(machine, right));
    if (left->type == FST_INT && right->type == FST_INT)
        order = (left->integer > right->integer) - (left->integer < right->integer);
    else
        FST_TRY(fst_order(machine, left, right, &order));
    *result = orders[code - FST_OP_LESS] >> (order + 1) & 1;
    return FST_DONE;
}

FST_INLINE fst_status
fst_is_equal(fst_machine *machine, int *result, fst_cell *left, fst_cell *right)
{
    FST_TRY(fst_settle(machine, left));
    FST_TRY(fst_settle(machine, right));
    if (left->type == FST_STR && right->type == FST_STR) {
        *result = left->size == right->size && memcmp(left->text, right->text, left->size) == 0;
        machine->fuel -= left->size / FST_MATCHED_BYTES;
        return FST_DONE;
    }
    if (left->type == FST_INT && right->type == FST_INT) {
        *result = left->integer == right->integer;
        return FST_DONE;
    }
    return fst_equal(machine, left, right, result);
}

/* `is`, of which one side is None, True or False. */
FST_INLINE int
fst_is_same(const fst_cell *left, const fst_cell *right)
{
    return left->type == right->type && (left->type == FST_NONE || left->integer == right->integer);
}

/* isinstance: a bool is an int, too. */
FST_INLINE fst_status
fst_is_a(fst_machine *machine, int *result, fst_cell *cell, int types)
{
    int is;
    FST_TRY(fst_settle(machine, cell));
    switch (cell->type) {
    case FST_UNSET:
        is = FST_IS_ABSENT;
        break;
    case FST_NONE:
        is = FST_IS_NONE;
        break;
    case FST_BOOL:
        is = FST_IS_BOOL | FST_IS_INT;
        break;
    case FST_INT:
    case FST_BIG:
        is = FST_IS_INT;
        break;
    case FST_FLOAT:
        is = FST_IS_FLOAT;
        break;
    case FST_STR:
        is = FST_IS_STR;
        break;
    case FST_LIST:
    case FST_ARRAY_TEXT:
        is = FST_IS_LIST;
        break;
    case FST_TUPLE:
        is = FST_IS_TUPLE;
        break;
    case FST_DICT:
    case FST_OBJECT_TEXT:
        is = FST_IS_DICT;
        break;
    case FST_SET:
        is = ((const fst_dict *)cell->object)->frozen == FST_FROZENSET ? 0 : FST_IS_SET;
        break;
    case FST_DECIMAL:
        is = FST_IS_DECIMAL;
        break;
    default:
        return FST_GIVE_BACK;
    }
    *result = (is & types) != 0;
    return FST_DONE;
}

#endif
