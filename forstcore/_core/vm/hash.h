/* hash.h: what can be a key of a dict or a member of a set: str, None, numbers, and tuples of these.
 *
 * As in Python, 1, 1.0 and True are one key. NaN is equal only to the very same object, and cells do
 * not tell objects apart, so it is given back. */
#ifndef FST_VM_HASH_H
#define FST_VM_HASH_H

#include "settle.h"

enum { FST_KEY_DEPTH = 8 };     /* nested tuples in a key; deeper ones are given back */

FST_INLINE int
fst_same_text(const char *a, const char *b, size_t size)
{
    if (size >= 8) {
        if (fst_load_eight(a) != fst_load_eight(b)
            || fst_load_eight(a + size - 8) != fst_load_eight(b + size - 8))
            return 0;
        return size <= 16 || memcmp(a + 8, b + 8, size - 16) == 0;
    }
    for (; size > 0; size--)
        if (a[size - 1] != b[size - 1])
            return 0;
    return 1;
}

FST_INLINE uint64_t
fst_mix(uint64_t a, uint64_t b)
{
    uint64_t high, low = fst_multiply(a, b, &high);
    return low ^ high;
}

#define FST_HASH_START UINT64_C(0x9e3779b97f4a7c15)
#define FST_HASH_STEP UINT64_C(0xd1342543de82ef95)

FST_INLINE uint32_t
fst_hash_text(const char *text, size_t size)
{
    uint64_t hash = FST_HASH_START ^ size, first = 0, last = 0;
    const char *end = text + size;
    if (size >= 8) {
        for (; end - text > 16; text += 8)
            hash = fst_mix(hash ^ fst_load_eight(text), FST_HASH_STEP);
        first = fst_load_eight(text);
        last = fst_load_eight(end - 8);
    } else if (size > 0) {
        /* Up to eight bytes: each is in one of these at least. */
        uint32_t half = 0;
        if (size >= 4) {
            memcpy(&half, text, 4);
            first = half;
            memcpy(&half, end - 4, 4);
            last = half;
        } else {
            first = (uint64_t)(unsigned char)text[0] << 8 | (unsigned char)text[size / 2];
            last = (unsigned char)end[-1];
        }
    }
    hash = fst_mix(hash ^ first, FST_HASH_STEP ^ last);
    return (uint32_t)(hash ^ hash >> 32);
}

FST_INLINE uint32_t
fst_hash_bits(uint64_t bits)
{
    bits = fst_mix(bits ^ FST_HASH_START, FST_HASH_STEP);
    return (uint32_t)(bits ^ bits >> 32);
}

/* Whether a double is an integer of 64 bits. */
FST_INLINE int
fst_is_integral(double number)
{
    return number >= -9223372036854775808.0 && number < 9223372036854775808.0
           && number == (double)(int64_t)number;
}

/* Settles a key and hashes it. A value that is certainly not hashable is a TypeError. */
FST_NOINLINE fst_status
fst_hash_nested(fst_machine *machine, fst_cell *key, int depth, uint32_t *hash)
{
    fst_list *items;
    uint64_t bits;
    uint32_t i;
    FST_TRY(fst_settle(machine, key));
    switch (key->type) {
    case FST_STR:
        *hash = fst_hash_text(key->text, key->size);
        return FST_DONE;
    case FST_NONE:
        *hash = fst_hash_bits(FST_HASH_START >> 1);
        return FST_DONE;
    case FST_BOOL:
    case FST_INT:
        *hash = fst_hash_bits((uint64_t)key->integer);
        return FST_DONE;
    case FST_FLOAT:
        if (key->number != key->number)
            return FST_GIVE_BACK;
        if (fst_is_integral(key->number))
            bits = (uint64_t)(int64_t)key->number;
        else
            memcpy(&bits, &key->number, sizeof bits);
        *hash = fst_hash_bits(bits);
        return FST_DONE;
    case FST_TUPLE:
        if (depth == FST_KEY_DEPTH)
            return FST_GIVE_BACK;
        items = (fst_list *)key->object;
        bits = items->count;
        for (i = 0; i < items->count; i++) {
            uint32_t item;
            FST_TRY(fst_hash_nested(machine, &items->items[i], depth + 1, &item));
            bits = fst_mix(bits ^ item, FST_HASH_STEP);
        }
        *hash = fst_hash_bits(bits);
        return FST_DONE;
    case FST_LIST:
    case FST_DICT:
    case FST_ARRAY_TEXT:
    case FST_OBJECT_TEXT:
        return FST_TYPE_ERROR;
    default:
        /* A set may be a frozenset. */
        return FST_GIVE_BACK;
    }
}

FST_INLINE fst_status
fst_hash(fst_machine *machine, fst_cell *key, uint32_t *hash)
{
    if (key->type == FST_STR) {
        *hash = fst_hash_text(key->text, key->size);
        return FST_DONE;
    }
    return fst_hash_nested(machine, key, 0, hash);
}

/* Whether two settled keys, which have hashes, are one key. */
FST_NOINLINE int
fst_is_same_key(const fst_cell *a, const fst_cell *b)
{
    const fst_list *left, *right;
    uint32_t i;
    switch (a->type) {
    case FST_STR:
        return b->type == FST_STR && a->size == b->size && fst_same_text(a->text, b->text, a->size);
    case FST_NONE:
        return b->type == FST_NONE;
    case FST_BOOL:
    case FST_INT:
        if (b->type == FST_FLOAT)
            return fst_is_integral(b->number) && (int64_t)b->number == a->integer;
        return (b->type == FST_INT || b->type == FST_BOOL) && a->integer == b->integer;
    case FST_FLOAT:
        if (b->type == FST_FLOAT)
            return a->number == b->number;
        return (b->type == FST_INT || b->type == FST_BOOL) && fst_is_same_key(b, a);
    case FST_TUPLE:
        if (b->type != FST_TUPLE)
            return 0;
        left = (const fst_list *)a->object;
        right = (const fst_list *)b->object;
        if (left->count != right->count)
            return 0;
        for (i = 0; i < left->count; i++)
            if (!fst_is_same_key(&left->items[i], &right->items[i]))
                return 0;
        return 1;
    default:
        return 0;       /* FST_UNSET: an entry that was deleted */
    }
}

#endif
