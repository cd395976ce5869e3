/* run_program.h: the loop that runs a program for one record.
 *
 * It needs neither the GIL nor any object of Python. The loader has checked every operand. */
#ifndef FST_VM_RUN_PROGRAM_H
#define FST_VM_RUN_PROGRAM_H

#include "format.h"
#include "frames.h"
#include "instances.h"
#include "operators.h"
#include "paths.h"
#include "program.h"
#include "results.h"
#include "typed.h"

enum { FST_FUEL = 1 << 22 };    /* instructions and steps for one record */

FST_INLINE fst_status
fst_make_list(fst_machine *machine, fst_cell *to, fst_type type, const fst_cell *first, int count)
{
    fst_list *list = fst_new_list(machine, (size_t)count);
    if (list == NULL)
        return FST_NO_MEMORY;
    memcpy(list->items, first, (size_t)count * sizeof *first);
    list->count = (uint32_t)count;
    *to = fst_object(type, list);
    return FST_DONE;
}

FST_INLINE fst_status
fst_make_set(fst_machine *machine, fst_cell *to, fst_cell *first, int count)
{
    fst_dict *set = fst_new_dict(machine, (size_t)count);
    int i;
    if (set == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < count; i++)
        FST_TRY(fst_dict_set(machine, set, &first[i], NULL));
    *to = fst_object(FST_SET, set);
    return FST_DONE;
}

FST_INLINE fst_status
fst_make_dict(fst_machine *machine, fst_cell *to, fst_cell *first, int count)
{
    fst_dict *dict = fst_new_dict(machine, (size_t)count / 2);
    int i;
    if (dict == NULL)
        return FST_NO_MEMORY;
    for (i = 0; i < count; i += 2)
        FST_TRY(fst_dict_set(machine, dict, &first[i], &first[i + 1]));
    *to = fst_object(FST_DICT, dict);
    return FST_DONE;
}

FST_INLINE fst_status
fst_join(fst_machine *machine, fst_cell *to, const fst_cell *first, int count)
{
    size_t size = 0;
    int flags = FST_ASCII | FST_CLEAN, i;
    char *text;
    for (i = 0; i < count; i++)
        size += first[i].size;
    if (size > UINT32_MAX)
        return FST_GIVE_BACK;
    text = (char *)fst_take(machine, size + 16);
    if (text == NULL)
        return FST_NO_MEMORY;
    to->type = FST_UNSET;
    size = 0;
    for (i = 0; i < count; i++) {
        fst_copy_text(text + size, first[i].text, first[i].size);
        size += first[i].size;
        flags &= first[i].flags;
    }
    *to = fst_str(text, size, flags);
    return FST_DONE;
}

/* Tells what a test has found. Mostly the next instruction jumps by that; then it need not run. */
FST_INLINE const fst_instruction *
fst_decide(fst_cell *r, const fst_instruction *op, const fst_instruction *code, int result)
{
    const fst_instruction *next = op + 1;
    r[op->a] = fst_bool(result);
    if (next->code == FST_OP_JUMP_UNLESS && next->a == op->a)
        return result ? next + 1 : code + next->b;
    return next;
}

/* Where the compiler can do that, each instruction ends with a jump of its own to the next one.
 * Branch predictors foretell these better than one jump for all of them. */
#if defined(__GNUC__)
#define FST_ON(name) on_##name:
#define FST_DISPATCH
#define FST_JUMP goto *labels[op->code]
#else
#define FST_ON(name) case FST_OP_##name:
#define FST_DISPATCH dispatch: switch (op->code)
#define FST_JUMP goto dispatch
#endif
#define FST_GO_ON \
    do { \
        if (FST_UNLIKELY(status != FST_DONE)) \
            goto stopped; \
        op = next; \
        next = op + 1; \
        FST_JUMP; \
    } while (0)

/* Runs the program for the machine's record, and writes its results. */
static fst_status
fst_run_program(fst_machine *machine)
{
    const fst_program *program = machine->program;
    const fst_instruction *const code = program->code, *op, *next;
    fst_cell *r = machine->registers;
    fst_status status;
    int target, i, result = 0;
#if defined(__GNUC__)
#define FST_LABEL(name, operands) [FST_OP_##name] = &&on_##name,
    static const void *const labels[] = {FST_OPCODES(FST_LABEL)};
#undef FST_LABEL
#endif

    for (i = 0; i < program->variables; i++)
        r[i].type = FST_UNSET;
    machine->fuel = FST_FUEL;
    machine->refuses_dates = machine->wrote_dates = 0;
    machine->frame = machine->unused_frames = NULL;
    next = code;
    status = FST_DONE;
    FST_GO_ON;
    FST_DISPATCH {
    FST_ON(CONSTANT)
        r[op->a] = program->constants[op->b];
        FST_GO_ON;
    FST_ON(MOVE)
        r[op->a] = r[op->b];
        FST_GO_ON;
    FST_ON(CHECK)
        if (r[op->a].type == FST_UNSET)
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(UNSET)
        r[op->a].type = FST_UNSET;
        FST_GO_ON;

    FST_ON(RECORD)
        r[op->a] = fst_str(machine->record->text.start, (size_t)machine->record->text.size, 0);
        r[op->a].type = FST_OBJECT_TEXT;
        FST_GO_ON;
    FST_ON(THAW)
        status = fst_thaw(machine, &r[op->a], op->b);
        FST_GO_ON;
    FST_ON(LOAD)
        status = fst_load_path(machine, &r[op->a], op->b);
        FST_GO_ON;
    FST_ON(LOAD_OR)
        status = fst_load_path_or(machine, &r[op->a], op->b, &r[op->c]);
        FST_GO_ON;
    FST_ON(LOAD_ANY)
        if (fst_kind_at(machine, op->b) == FST_ABSENT)
            r[op->a] = r[op->c];
        else
            status = fst_load_path(machine, &r[op->a], op->b);
        FST_GO_ON;
    FST_ON(EXPECT)
        if (!fst_is_expected(machine, op->a, op->b))
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(EXPECT_VALUE)
        if (!fst_is_expected_value(&r[op->a], op->b))
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(MEMBER)
        status = fst_get_member(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(TO_FLOAT)
        fst_make_float(&r[op->a]);
        FST_GO_ON;
    FST_ON(ITEMS_TO_FLOAT)
        status = fst_make_floats(machine, &r[op->a]);
        FST_GO_ON;
    FST_ON(VALUES)
        status = fst_shallow(machine, &r[op->b]);
        r[op->a] = r[op->b];
        r[op->a].type = FST_VIEW;
        r[op->a].flags = FST_VALUES;
        FST_GO_ON;
    FST_ON(REFUSE_DATES)
        machine->refuses_dates = 1;
        FST_GO_ON;
    FST_ON(REQUIRE)
        if (fst_kind_at(machine, op->a) == FST_ABSENT)
            status = fst_why_absent(machine, op->a, 0);
        FST_GO_ON;
    FST_ON(HAS)
        status = fst_has(machine, &r[op->a], op->b, op->c);
        FST_GO_ON;

    FST_ON(ADD)
    FST_ON(SUBTRACT)
    FST_ON(MULTIPLY)
    FST_ON(DIVIDE)
    FST_ON(FLOOR_DIVIDE)
    FST_ON(MODULO)
    FST_ON(POWER)
    FST_ON(AND)
    FST_ON(OR)
    FST_ON(XOR)
    FST_ON(SHIFT_LEFT)
    FST_ON(SHIFT_RIGHT)
        status = fst_operate(machine, op->code, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(ADD_IN_PLACE)
        status = fst_add_in_place(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(OR_IN_PLACE)
        status = fst_or_in_place(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(REFUSE_CONTAINER)
        if (fst_is_container(&r[op->a]))
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(NEGATE)
    FST_ON(POSITIVE)
    FST_ON(INVERT)
        status = fst_operate_on_one(machine, op->code, &r[op->a], &r[op->b]);
        FST_GO_ON;
    FST_ON(NOT)
        status = fst_truth(machine, &r[op->b], &result);
        r[op->a] = fst_bool(!result);
        FST_GO_ON;
    FST_ON(EQUAL)
        status = fst_is_equal(machine, &result, &r[op->b], &r[op->c]);
        next = fst_decide(r, op, code, result);
        FST_GO_ON;
    FST_ON(NOT_EQUAL)
        status = fst_is_equal(machine, &result, &r[op->b], &r[op->c]);
        next = fst_decide(r, op, code, !result);
        FST_GO_ON;
    FST_ON(LESS)
    FST_ON(LESS_EQUAL)
    FST_ON(GREATER)
    FST_ON(GREATER_EQUAL)
        status = fst_is_ordered(machine, op->code, &result, &r[op->b], &r[op->c]);
        next = fst_decide(r, op, code, result);
        FST_GO_ON;
    FST_ON(IN)
        status = fst_contains(machine, &r[op->c], &r[op->b], &result);
        next = fst_decide(r, op, code, result);
        FST_GO_ON;
    FST_ON(NOT_IN)
        status = fst_contains(machine, &r[op->c], &r[op->b], &result);
        next = fst_decide(r, op, code, !result);
        FST_GO_ON;
    FST_ON(IS)
        next = fst_decide(r, op, code, fst_is_same(&r[op->b], &r[op->c]));
        FST_GO_ON;
    FST_ON(IS_NOT)
        next = fst_decide(r, op, code, !fst_is_same(&r[op->b], &r[op->c]));
        FST_GO_ON;
    FST_ON(IS_A)
        status = fst_is_a(machine, &result, &r[op->b], op->c);
        r[op->a] = fst_bool(result);
        FST_GO_ON;

    FST_ON(JUMP)
        next = code + op->a;
        if (next <= op && (machine->fuel -= op - next + 1) < 0)
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(JUMP_IF)
        status = fst_truth(machine, &r[op->a], &result);
        if (result)
            next = code + op->b;
        FST_GO_ON;
    FST_ON(JUMP_UNLESS)
        status = fst_truth(machine, &r[op->a], &result);
        if (!result)
            next = code + op->b;
        FST_GO_ON;
    FST_ON(ITERATE)
        status = fst_iterate_cell(machine, &r[op->a], &r[op->b]);
        FST_GO_ON;
    FST_ON(NEXT)
        status = fst_next_item(machine, &r[op->b], &r[op->a], &result);
        if (!result)
            next = code + op->c;
        FST_GO_ON;
    FST_ON(UNPACK)
        status = fst_unpack(machine, &r[op->a], &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(RAISE)
        status = (fst_status)op->a;
        FST_GO_ON;
    FST_ON(ENTER)
        status = fst_enter(machine, op->a, op->b);
        FST_GO_ON;
    FST_ON(LEAVE)
        if (machine->frame == NULL)
            status = FST_GIVE_BACK;
        else
            next = code + fst_leave(machine);
        FST_GO_ON;
    FST_ON(GIVE_BACK)
        status = FST_GIVE_BACK;
        FST_GO_ON;

    FST_ON(LIST)
        status = fst_make_list(machine, &r[op->a], FST_LIST, &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(TUPLE)
        status = fst_make_list(machine, &r[op->a], FST_TUPLE, &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(SET)
        status = fst_make_set(machine, &r[op->a], &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(DICT)
        status = fst_make_dict(machine, &r[op->a], &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(APPEND)
        status = fst_append(machine, (fst_list *)r[op->a].object, r[op->b]);
        FST_GO_ON;
    FST_ON(ADD_TO_SET)
        status = fst_dict_set(machine, (fst_dict *)r[op->a].object, &r[op->b], NULL);
        FST_GO_ON;
    FST_ON(EXTEND)
        status = fst_extend(machine, (fst_list *)r[op->a].object, &r[op->b]);
        FST_GO_ON;
    FST_ON(MERGE)
        status = fst_merge(machine, (fst_dict *)r[op->a].object, &r[op->b]);
        FST_GO_ON;
    FST_ON(GET_ITEM)
        status = fst_get_item(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(SET_ITEM)
        status = fst_set_item(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(DELETE_ITEM)
        status = fst_delete_item(machine, &r[op->a], &r[op->b]);
        FST_GO_ON;
    FST_ON(SLICE)
        status = fst_get_slice(machine, &r[op->a], &r[op->b], &r[op->c]);
        FST_GO_ON;

    FST_ON(INSTANCE)
        r[op->a] = fst_instance(
            (const fst_list *)program->constants[op->c].object, op->c, r[op->b].object);
        FST_GO_ON;
    FST_ON(IS_INSTANCE)
        r[op->a] = fst_bool(fst_is_instance(&r[op->b]) && r[op->b].size == op->c + 1u);
        FST_GO_ON;
    FST_ON(FIELD)
        status = fst_get_field(machine, &r[op->a], &r[op->b], &program->constants[op->c]);
        FST_GO_ON;
    FST_ON(SET_FIELD)
        status = fst_set_field(machine, &r[op->a], &program->constants[op->b], &r[op->c]);
        FST_GO_ON;
    FST_ON(REPLACE_FIELD)
        status = fst_replace_field(machine, &r[op->a], &program->constants[op->b], &r[op->c]);
        FST_GO_ON;

    FST_ON(CALL)
        /* Most functions of a text look at all of it. */
        if (r[op->c].type == FST_STR || r[op->c].type == FST_STRING_TEXT)
            machine->fuel -= r[op->c].size / FST_SCANNED_BYTES;
        if (machine->fuel < 0) {
            status = FST_GIVE_BACK;
            goto stopped;
        }
        status = program->functions[op->b].call(machine, &r[op->a], &r[op->c]);
        FST_GO_ON;
    FST_ON(FORMAT)
        status = fst_format(machine, &r[op->a], &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(JOIN)
        status = fst_join(machine, &r[op->a], &r[op->b], op->c);
        FST_GO_ON;

    FST_ON(PUT_VALUE)
        status = fst_put_piece(machine, &program->pieces[op->a]);
        if (status == FST_DONE)
            status = fst_write_value(machine, &r[op->b], op->c);
        FST_GO_ON;
    FST_ON(PUT_PATH)
        status = fst_put_path(machine, &program->pieces[op->a], op->b, op->c);
        FST_GO_ON;
    FST_ON(END)
        status = fst_put_piece(machine, &program->pieces[op->a]);
        fst_end(machine->output);
        if (status == FST_DONE && fst_is_too_long(machine->output))
            status = FST_GIVE_BACK;
        FST_GO_ON;
    FST_ON(EMIT)
        status = fst_emit(machine, &r[op->a]);
        FST_GO_ON;
    FST_ON(RETURN)
        status = fst_return(machine, &r[op->a]);
        if (status == FST_DONE)
            return status;
        FST_GO_ON;
    FST_ON(FUNCTION)
    FST_ON(TEMPORARIES)
    FST_ON(FINISH)
        return FST_DONE;
    stopped:
        target = status < 0 ? 0 : fst_find_handler(machine, (int)(op - code), status);
        if (target == 0) {
            machine->stopped_at = (int)(op - code);
            machine->stopped_with = status;
            return status;
        }
        next = code + target;
        status = FST_DONE;
        FST_GO_ON;
    }
    FST_UNREACHABLE();              /* the loader has checked all codes */
}

#undef FST_ON
#undef FST_GO_ON
#undef FST_DISPATCH
#undef FST_JUMP

#endif
