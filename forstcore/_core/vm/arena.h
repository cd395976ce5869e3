/* arena.h: memory for the values that a program creates for one record. */
#ifndef FST_VM_ARENA_H
#define FST_VM_ARENA_H

#include <stdlib.h>

#include "values.h"

/* Takes a new block of at least `size` bytes. */
FST_NOINLINE int
fst_take_block(fst_arena *arena, size_t size)
{
    fst_block *block;
    size_t room = size < FST_ARENA_BLOCK ? FST_ARENA_BLOCK : size;
    if (room > FST_ARENA_MOST - arena->total
        || (block = (fst_block *)malloc(sizeof *block + room)) == NULL)
        return 0;
    block->before = arena->block;
    block->size = room;
    arena->block = block;
    arena->total += room;
    arena->at = (char *)(block + 1);
    arena->end = arena->at + room;
    return 1;
}

/* Returns memory that lives until the record is done; NULL if there is too little. */
FST_INLINE void *
fst_take(fst_machine *machine, size_t size)
{
    fst_arena *arena = &machine->arena;
    char *at;
    size = (size + FST_ARENA_ALIGN - 1) & ~(size_t)(FST_ARENA_ALIGN - 1);
    if ((size_t)(arena->end - arena->at) < size && !fst_take_block(arena, size))
        return NULL;
    at = arena->at;
    arena->at = at + size;
    return at;
}

/* Shrinks the latest allocation to `size` bytes from `start` on. */
FST_INLINE void
fst_keep(fst_machine *machine, void *start, size_t size)
{
    size = (size + FST_ARENA_ALIGN - 1) & ~(size_t)(FST_ARENA_ALIGN - 1);
    machine->arena.at = (char *)start + size;
}

/* As fst_empty_arena, for any arena. */
FST_NOINLINE void
fst_free_most(fst_arena *arena)
{
    while (arena->block != NULL
           && (arena->block->before != NULL || arena->block->size > FST_ARENA_BLOCK)) {
        fst_block *before = arena->block->before;
        free(arena->block);
        arena->block = before;
    }
    if (arena->block == NULL) {
        arena->at = arena->end = NULL;
        arena->total = 0;
        return;
    }
    arena->total = arena->block->size;
    arena->at = (char *)(arena->block + 1);
    arena->end = arena->at + arena->block->size;
}

/* Empties the arena; keeps one block, unless it is larger than usual. */
FST_INLINE void
fst_empty_arena(fst_arena *arena)
{
    fst_block *block = arena->block;
    if (block == NULL)
        return;
    if (FST_LIKELY(block->before == NULL && block->size == FST_ARENA_BLOCK))
        arena->at = (char *)(block + 1);
    else
        fst_free_most(arena);
}

FST_INLINE void
fst_free_arena(fst_arena *arena)
{
    while (arena->block != NULL) {
        fst_block *before = arena->block->before;
        free(arena->block);
        arena->block = before;
    }
    arena->at = arena->end = NULL;
    arena->total = 0;
}

#endif
