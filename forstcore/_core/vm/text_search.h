/* text_search.h: finding text in text.
 *
 * A place where the first and the last byte are right is compared as a whole. What that costs in the
 * worst case uses up fuel. */
#ifndef FST_VM_TEXT_SEARCH_H
#define FST_VM_TEXT_SEARCH_H

#include "text.h"

enum {
    FST_COMPARED_BYTES = 16,    /* that cost as much as an instruction, at most */
    FST_SCANNED_BYTES = 64      /* the same where a loop does little with each */
};

/* Compares all but the first and the last byte, which are right; charges for it. */
FST_INLINE int
fst_is_text_at(fst_machine *machine, const char *at, const char *text, size_t size)
{
    machine->fuel -= 1 + (int64_t)(size / FST_COMPARED_BYTES);
    return size <= 2 || memcmp(at + 1, text + 1, size - 2) == 0;
}

FST_INLINE fst_status
fst_has_fuel(const fst_machine *machine)
{
    return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
}

#if defined(FST_X86)
/* A bit for each of 16 places where the first and the last byte of a text are right. */
FST_INLINE unsigned
fst_match_ends(const char *at, const char *text, size_t size)
{
    const __m128i first = _mm_loadu_si128((const __m128i *)at);
    const __m128i last = _mm_loadu_si128((const __m128i *)(at + size - 1));
    return (unsigned)_mm_movemask_epi8(_mm_and_si128(
        _mm_cmpeq_epi8(first, _mm_set1_epi8(text[0])),
        _mm_cmpeq_epi8(last, _mm_set1_epi8(text[size - 1]))));
}
#endif

/* Finds the first place of two bytes or more in [at, end). */
FST_INLINE fst_status
fst_find_long_text(
    fst_machine *machine, const char *at, const char *end, const char *text, size_t size,
    const char **found)
{
    *found = NULL;
    if ((size_t)(end - at) < size)
        return FST_DONE;
    end -= size - 1;        /* behind the last place */
#if defined(FST_X86)
    while (end - at >= 16) {
        unsigned places = fst_match_ends(at, text, size);
        for (; places != 0; places &= places - 1) {
            const char *place = at + fst_trailing_zeros(places);
            if (fst_is_text_at(machine, place, text, size)) {
                *found = place;
                return fst_has_fuel(machine);
            }
        }
        at += 16;
        FST_TRY(fst_has_fuel(machine));
    }
#endif
    while (at < end && (at = (const char *)memchr(at, text[0], (size_t)(end - at))) != NULL) {
        if (at[size - 1] == text[size - 1] && fst_is_text_at(machine, at, text, size)) {
            *found = at;
            break;
        }
        FST_TRY(fst_has_fuel(machine));
        at++;
    }
    return fst_has_fuel(machine);
}

/* Finds the first place of a text, which is not empty, in [at, end); NULL if there is none. */
FST_INLINE fst_status
fst_find_text_in(
    fst_machine *machine, const char *at, const char *end, const char *text, size_t size,
    const char **found)
{
    if (size == 1)
        *found = (const char *)memchr(at, text[0], (size_t)(end - at));
    else
        FST_TRY(fst_find_long_text(machine, at, end, text, size, found));
    machine->fuel -= ((*found != NULL ? *found : end) - at) / FST_SCANNED_BYTES;
    return fst_has_fuel(machine);
}

/* Finds the last place of a text, which is not empty, in [start, end); NULL if there is none. */
FST_INLINE fst_status
fst_find_last_text(
    fst_machine *machine, const char *start, const char *end, const char *text, size_t size,
    const char **found)
{
    const char *at;
    *found = NULL;
    if ((size_t)(end - start) < size)
        return FST_DONE;
    machine->fuel -= (end - start) / FST_SCANNED_BYTES;
    for (at = end - size;; at--) {
        if (at[0] == text[0] && at[size - 1] == text[size - 1]) {
            if (fst_is_text_at(machine, at, text, size)) {
                *found = at;
                break;
            }
            FST_TRY(fst_has_fuel(machine));
        }
        if (at == start)
            break;
    }
    return fst_has_fuel(machine);
}

#endif
