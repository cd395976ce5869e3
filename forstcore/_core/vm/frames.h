/*
 * frames.h: functions that call themselves.
 *
 * Other functions are compiled in the place of their calls. The code of a recursive one stands in
 * the place of its first call, and calls within it enter it again: the registers that belong to it
 * are kept in a frame, and have their values again when the call is over.
 */
#ifndef FST_VM_FRAMES_H
#define FST_VM_FRAMES_H

#include "arena.h"
#include "program.h"

enum { FST_MOST_FRAMES = 64 };  /* far from the depth that Python refuses */

typedef struct fst_frame {
    struct fst_frame *before;
    uint32_t room;              /* registers that it can keep */
    int depth;
    int function;               /* the instruction FUNCTION */
    int next;                   /* where the caller continues */
} fst_frame;

FST_INLINE fst_cell *
fst_kept(fst_frame *frame)
{
    return (fst_cell *)(frame + 1);
}

/* Keeps the registers of the function at an instruction FUNCTION. */
FST_NOINLINE fst_status
fst_enter(fst_machine *machine, int function, int next)
{
    const fst_instruction *variables = &machine->program->code[function];
    const fst_instruction *temporaries = variables + 1;
    const uint32_t count = (uint32_t)variables->b + temporaries->b;
    const int depth = machine->frame == NULL ? 1 : machine->frame->depth + 1;
    fst_frame *frame = machine->unused_frames;
    if (depth > FST_MOST_FRAMES || (machine->fuel -= count) < 0)
        return FST_GIVE_BACK;
    if (frame != NULL && frame->room >= count) {
        machine->unused_frames = frame->before;
    } else {
        frame = (fst_frame *)fst_take(machine, sizeof *frame + count * sizeof(fst_cell));
        if (frame == NULL)
            return FST_NO_MEMORY;
        frame->room = count;
    }
    frame->before = machine->frame;
    frame->depth = depth;
    frame->function = function;
    frame->next = next;
    machine->frame = frame;
    memcpy(
        fst_kept(frame), &machine->registers[variables->a], variables->b * sizeof(fst_cell));
    memcpy(
        fst_kept(frame) + variables->b, &machine->registers[temporaries->a],
        temporaries->b * sizeof(fst_cell));
    return FST_DONE;
}

/* Ends the function that runs; returns where its caller continues. */
FST_NOINLINE int
fst_leave(fst_machine *machine)
{
    fst_frame *frame = machine->frame;
    const fst_instruction *variables = &machine->program->code[frame->function];
    const fst_instruction *temporaries = variables + 1;
    memcpy(
        &machine->registers[variables->a], fst_kept(frame), variables->b * sizeof(fst_cell));
    memcpy(
        &machine->registers[temporaries->a], fst_kept(frame) + variables->b,
        temporaries->b * sizeof(fst_cell));
    machine->frame = frame->before;
    frame->before = machine->unused_frames;
    machine->unused_frames = frame;
    return frame->next;
}

/* The handler of an exception in the function that runs; 0 if there is none (no handler is the
 * first instruction). */
FST_NOINLINE int
fst_handler_here(const fst_machine *machine, int at, fst_status status)
{
    const fst_program *program = machine->program;
    const int end = machine->frame == NULL ? program->code_count : machine->frame->function;
    const int start = machine->frame == NULL ? 0 : program->code[end].c;
    int i;
    for (i = 0; i < program->handler_count; i++) {
        const fst_handler *handler = &program->handlers[i];
        if (handler->start <= at && at < handler->end && (handler->statuses >> status & 1)
            && start <= handler->target && handler->target < end)
            return handler->target;
    }
    return 0;
}

/* The place that handles an exception, in this function or in a caller; 0 if there is none. */
FST_NOINLINE int
fst_find_handler(fst_machine *machine, int at, fst_status status)
{
    int target;
    while ((target = fst_handler_here(machine, at, status)) == 0 && machine->frame != NULL)
        at = fst_leave(machine) - 1;
    return target;
}

#endif
