/* str_build.h: operators and methods that make a longer or another str: +, *, join, replace, zfill and
 * so on. */
#ifndef FST_VM_STR_BUILD_H
#define FST_VM_STR_BUILD_H

#include "text_search.h"

/* left + right, which are both str. */
FST_INLINE fst_status
fst_str_concat(fst_machine *machine, fst_cell *to, const fst_cell *left, const fst_cell *right)
{
    char *text;
    if (left->size == 0 || right->size == 0) {
        *to = left->size == 0 ? *right : *left;
        return FST_DONE;
    }
    FST_TRY(fst_take_text(machine, (uint64_t)left->size + right->size, &text));
    fst_copy_text(fst_copy_text(text, left->text, left->size), right->text, right->size);
    *to = fst_str(text, (size_t)left->size + right->size, fst_flags_of_both(left, right));
    return FST_DONE;
}

/* str * count */
FST_INLINE fst_status
fst_str_repeat(fst_machine *machine, fst_cell *to, const fst_cell *str, const fst_cell *count)
{
    const int flags = str->flags;
    const uint64_t size = str->size;
    uint64_t whole, done;
    char *text;
    if (count->integer <= 0 || size == 0) {
        *to = fst_empty_str();
        return FST_DONE;
    }
    if (count->integer > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    whole = size * (uint64_t)count->integer;
    FST_TRY(fst_take_text(machine, whole, &text));
    memcpy(text, str->text, (size_t)size);
    for (done = size; done < whole; done *= 2)
        memcpy(text + done, text, (size_t)(done <= whole - done ? done : whole - done));
    *to = fst_str(text, (size_t)whole, flags);
    return FST_DONE;
}

/* ---------------------------------------------------------------- join */

FST_INLINE fst_status
fst_join_items(fst_machine *machine, fst_cell *to, const fst_cell *separator, fst_list *list)
{
    uint64_t size = 0;
    int flags = FST_ASCII | FST_CLEAN;
    char *text;
    uint32_t i;
    if (list->count == 0) {
        *to = fst_empty_str();
        return FST_DONE;
    }
    for (i = 0; i < list->count; i++) {
        FST_TRY(fst_settle_text(machine, &list->items[i]));
        size += list->items[i].size;
        flags &= list->items[i].flags;
    }
    if (list->count == 1) {
        *to = list->items[0];
        return FST_DONE;
    }
    size += (uint64_t)separator->size * (list->count - 1);
    FST_TRY(fst_take_text(machine, size, &text));
    *to = fst_str(text, (size_t)size, flags & separator->flags);
    text = fst_copy_text(text, list->items[0].text, list->items[0].size);
    for (i = 1; i < list->count; i++) {
        text = fst_copy_text(text, separator->text, separator->size);
        text = fst_copy_text(text, list->items[i].text, list->items[i].size);
    }
    return FST_DONE;
}

/* self, iterable */
FST_NOINLINE fst_status
fst_str_join(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *items = &arguments[1];
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_settle(machine, items));
    FST_TRY(fst_shallow(machine, items));
    if (!fst_is_list(items)) {
        fst_cell list;
        FST_TRY(fst_collect(machine, &list, FST_LIST, items, 0));
        *items = list;
    }
    return fst_join_items(machine, to, &arguments[0], (fst_list *)items->object);
}

/* ---------------------------------------------------------------- replace */

/* The size of the result of replace, and the number of replacements. */
FST_INLINE fst_status
fst_measure_replaced(
    fst_machine *machine, const fst_cell *self, const fst_cell *old, const fst_cell *new_text,
    int64_t *count, uint64_t *size)
{
    const char *at = self->text, *end = at + self->size, *found;
    int64_t most = *count;
    for (*count = 0; *count != most; ++*count, at = found + old->size) {
        FST_TRY(fst_find_text_in(machine, at, end, old->text, old->size, &found));
        if (found == NULL)
            break;
    }
    *size = self->size - (uint64_t)*count * old->size + (uint64_t)*count * new_text->size;
    return *count > FST_TEXT_MOST || *size > FST_TEXT_MOST ? FST_GIVE_BACK : FST_DONE;
}

/* Puts a text before each character, and behind the last one. */
FST_NOINLINE fst_status
fst_put_between(
    fst_machine *machine, fst_cell *to, fst_cell *self, const fst_cell *between, int64_t most)
{
    const char *at = self->text, *end = at + self->size;
    const int64_t places = (int64_t)fst_str_length(self) + 1;
    char *text;
    if (most < 0 || most > places)
        most = places;
    *to = *self;
    if (most == 0)
        return FST_DONE;
    FST_TRY(fst_take_text(machine, self->size + (uint64_t)most * between->size, &text));
    *to = fst_str(
        text, self->size + (size_t)most * between->size, fst_flags_of_both(self, between));
    for (; most > 0; most--) {
        text = fst_copy_text(text, between->text, between->size);
        if (at < end) {
            const uint32_t size = fst_character_size(*at);
            text = fst_copy_text(text, at, size);
            at += size;
        }
    }
    fst_copy_text(text, at, (size_t)(end - at));
    return FST_DONE;
}

/* self, old, new, count? */
FST_NOINLINE fst_status
fst_str_replace(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0], *old = &arguments[1], *new_text = &arguments[2];
    const char *at, *end, *found;
    int64_t count;
    uint64_t size;
    char *text;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_text(machine, old));
    FST_TRY(fst_settle_text(machine, new_text));
    FST_TRY(fst_settle_count(machine, &arguments[3], -1, &count));
    if (old->size == 0)
        return fst_put_between(machine, to, self, new_text, count);
    FST_TRY(fst_measure_replaced(machine, self, old, new_text, &count, &size));
    *to = *self;
    if (count == 0)
        return FST_DONE;
    FST_TRY(fst_take_text(machine, size, &text));
    /* A part of ASCII is ASCII; for other text this is unknown. */
    *to = fst_str(
        text, (size_t)size, self->flags & new_text->flags & (FST_ASCII | FST_CLEAN));
    if (new_text->size == 0)
        to->flags = self->flags & (FST_ASCII | FST_CLEAN);
    at = self->text;
    end = at + self->size;
    for (; count > 0; count--, at = found + old->size) {
        FST_TRY(fst_find_text_in(machine, at, end, old->text, old->size, &found));
        text = fst_copy_text(text, at, (size_t)(found - at));
        text = fst_copy_text(text, new_text->text, new_text->size);
    }
    fst_copy_text(text, at, (size_t)(end - at));
    return FST_DONE;
}

/* ---------------------------------------------------------------- padding */

/* self between so many copies of a character. */
FST_INLINE fst_status
fst_pad(
    fst_machine *machine, fst_cell *to, const fst_cell *self, const fst_cell *fill,
    int64_t before, int64_t behind)
{
    char *text;
    uint64_t size;
    int64_t i;
    if (before < 0 || behind < 0 || before > FST_TEXT_MOST || behind > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    size = self->size + (uint64_t)(before + behind) * fill->size;
    FST_TRY(fst_take_text(machine, size, &text));
    *to = fst_str(text, (size_t)size, fst_flags_of_both(self, fill));
    for (i = 0; i < before; i++)
        text = fst_copy_text(text, fill->text, fill->size);
    text = fst_copy_text(text, self->text, self->size);
    for (i = 0; i < behind; i++)
        text = fst_copy_text(text, fill->text, fill->size);
    return FST_DONE;
}

/* Settles self, width, fillchar?; tells how many characters are missing. */
FST_INLINE fst_status
fst_settle_padding(fst_machine *machine, fst_cell *arguments, int64_t *missing)
{
    fst_cell *fill = &arguments[2];
    FST_TRY(fst_settle_self(machine, &arguments[0]));
    FST_TRY(fst_settle_count(machine, &arguments[1], 0, missing));
    if (fill->type == FST_UNSET)
        *fill = fst_str(" ", 1, FST_ASCII | FST_CLEAN);
    FST_TRY(fst_settle_text(machine, fill));
    if (fst_str_length(fill) != 1)
        return FST_TYPE_ERROR;
    if (*missing > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    *missing -= fst_str_length(&arguments[0]);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_str_ljust(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t missing;
    FST_TRY(fst_settle_padding(machine, arguments, &missing));
    *to = arguments[0];
    return missing <= 0 ? FST_DONE
                        : fst_pad(machine, to, &arguments[0], &arguments[2], 0, missing);
}

FST_NOINLINE fst_status
fst_str_rjust(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t missing;
    FST_TRY(fst_settle_padding(machine, arguments, &missing));
    *to = arguments[0];
    return missing <= 0 ? FST_DONE
                        : fst_pad(machine, to, &arguments[0], &arguments[2], missing, 0);
}

FST_NOINLINE fst_status
fst_str_center(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t missing, before;
    FST_TRY(fst_settle_padding(machine, arguments, &missing));
    *to = arguments[0];
    if (missing <= 0)
        return FST_DONE;
    /* Of an odd number one more is before the text if the width is odd, too. */
    before = missing / 2 + (missing & arguments[1].integer & 1);
    return fst_pad(machine, to, &arguments[0], &arguments[2], before, missing - before);
}

/* self, width */
FST_NOINLINE fst_status
fst_str_zfill(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell zero = fst_str("0", 1, FST_ASCII | FST_CLEAN);
    fst_cell *self = &arguments[0];
    int64_t missing;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_count(machine, &arguments[1], 0, &missing));
    if (missing > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    missing -= fst_str_length(self);
    *to = *self;
    if (missing <= 0)
        return FST_DONE;
    FST_TRY(fst_pad(machine, to, self, &zero, missing, 0));
    if (self->size > 0 && (self->text[0] == '+' || self->text[0] == '-')) {
        char *text = (char *)to->text;
        text[0] = self->text[0];
        text[missing] = '0';
    }
    return FST_DONE;
}

/* self, tabsize? */
FST_NOINLINE fst_status
fst_str_expandtabs(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    int64_t size, column = 0;
    uint64_t room, tabs = 0;
    const char *at, *end;
    char *text, *start;
    FST_TRY(fst_settle_self(machine, self));
    FST_TRY(fst_settle_count(machine, &arguments[1], 8, &size));
    if (size > FST_TEXT_MOST)
        return FST_GIVE_BACK;
    at = self->text;
    end = at + self->size;
    for (; at < end; at++)
        tabs += *at == '\t';
    *to = *self;
    if (tabs == 0)
        return FST_DONE;
    room = self->size + tabs * (uint64_t)(size > 0 ? size : 0);
    FST_TRY(fst_take_text(machine, room, &text));
    start = text;
    for (at = self->text; at < end; at++) {
        if (*at != '\t') {
            /* Columns are counted in characters. */
            column += (*at & 0xc0) != 0x80;
            if (*at == '\n' || *at == '\r')
                column = 0;
            *text++ = *at;
        } else if (size > 0) {
            const int64_t spaces = size - column % size;
            memset(text, ' ', (size_t)spaces);
            text += spaces;
            column += spaces;
        }
    }
    /* A tab has to be escaped in JSON; other characters may have to be, too. */
    *to = fst_str(start, (size_t)(text - start), self->flags & ~FST_CLEAN);
    return FST_DONE;
}

#endif
