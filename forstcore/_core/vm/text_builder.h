/* text_builder.h: text that is put together piece by piece. */
#ifndef FST_VM_TEXT_BUILDER_H
#define FST_VM_TEXT_BUILDER_H

#include "text.h"

typedef struct fst_builder {
    fst_machine *machine;
    char *text;
    uint64_t size;
    uint64_t room;
    int flags;                  /* FST_ASCII and FST_CLEAN as long as all pieces are */
} fst_builder;

FST_INLINE fst_builder
fst_begin_text(fst_machine *machine)
{
    fst_builder builder = {machine, NULL, 0, 0, FST_ASCII | FST_CLEAN};
    return builder;
}

FST_NOINLINE fst_status
fst_grow_text(fst_builder *builder, size_t size)
{
    char *text;
    const uint64_t room = 2 * builder->room + size + 64;
    FST_TRY(fst_take_text(builder->machine, room, &text));
    if (builder->size > 0)
        memcpy(text, builder->text, (size_t)builder->size);
    builder->text = text;
    builder->room = room;
    return FST_DONE;
}

FST_INLINE fst_status
fst_put_text(fst_builder *builder, const char *text, size_t size, int flags)
{
    if (builder->room - builder->size < size)
        FST_TRY(fst_grow_text(builder, size));
    if (size > 0)
        memcpy(builder->text + builder->size, text, size);
    builder->size += size;
    builder->flags &= flags;
    return FST_DONE;
}

FST_INLINE fst_status
fst_put_cell(fst_builder *builder, const fst_cell *str)
{
    return fst_put_text(builder, str->text, str->size, str->flags);
}

/* A literal of plain ASCII. */
#define FST_PUT_LITERAL(builder, literal) \
    fst_put_text((builder), "" literal, sizeof(literal) - 1, FST_ASCII | FST_CLEAN)

FST_INLINE fst_cell
fst_end_text(const fst_builder *builder)
{
    return builder->size == 0 ? fst_empty_str()
                              : fst_str(builder->text, (size_t)builder->size, builder->flags);
}

#endif
