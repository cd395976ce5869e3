/* dicts.h: dicts, and sets, which are dicts without values.
 *
 * Entries stand in the order in which their keys came. A few are searched one after the other,
 * more by way of a hash table. Its hash function is public, so an attacker can choose keys that
 * collide: long searches use up fuel. */
#ifndef FST_VM_DICTS_H
#define FST_VM_DICTS_H

#include "hash.h"
#include "lists.h"

enum {
    FST_FEW_ENTRIES = 8,        /* without a hash table */
    FST_FREE_PROBES = 16,       /* of a search, beyond which it uses up fuel */
    FST_DICT_MOST = 1 << 22,    /* entries, after which a record is given back */
    FST_FROZENSET = 2           /* what `frozen` is in a frozenset */
};

/* What a dict has for a missing key. That of a defaultdict is added, that of a Counter is not.
 * Of a defaultdict of dicts the bits above FST_MISSING_KIND say what these have in turn; of one of
 * copies of a constant they are its number, counted from 1, and the kind is FST_MISSING_NOTHING. */
enum fst_missing {
    FST_MISSING_NOTHING,        /* a KeyError, if it is all */
    FST_MISSING_COUNT,
    FST_MISSING_INT,
    FST_MISSING_FLOAT,
    FST_MISSING_STR,
    FST_MISSING_LIST,
    FST_MISSING_SET,
    FST_MISSING_DICT,
    FST_MISSING_KIND = 7
};

typedef struct fst_entry {
    fst_cell key;               /* FST_UNSET: it was deleted */
    fst_cell value;
} fst_entry;

typedef struct fst_slot {
    uint32_t hash;
    uint32_t entry;             /* its number, counted from 1; 0: the slot is empty */
} fst_slot;

typedef struct fst_dict {
    fst_entry *entries;
    fst_slot *slots;            /* NULL without a hash table */
    uint32_t count;             /* entries that are not deleted */
    uint32_t used;              /* entries, with deleted ones */
    uint32_t room;
    uint32_t mask;              /* number of slots, less one */
    uint32_t filled;            /* slots, with those of deleted entries */
    uint32_t frozen;            /* see fst_list */
    uint32_t missing;           /* an fst_missing */
    uint32_t changes;           /* how often a key was added or deleted, for iterators */
} fst_dict;

/* Whether it is a Counter or a defaultdict. */
FST_INLINE int
fst_is_special_dict(const fst_cell *cell)
{
    return cell->type == FST_DICT && ((const fst_dict *)cell->object)->missing;
}

/* ---------------------------------------------------------------- room */

FST_INLINE void
fst_fill_slot(fst_dict *dict, uint32_t hash, uint32_t entry)
{
    uint32_t at = hash & dict->mask;
    while (dict->slots[at].entry != 0)
        at = (at + 1) & dict->mask;
    dict->slots[at].hash = hash;
    dict->slots[at].entry = entry + 1;
    dict->filled++;
}

/* Moves the entries to where there is room for so many, without those that were deleted. */
FST_NOINLINE fst_status
fst_move_entries(fst_machine *machine, fst_dict *dict, size_t room)
{
    fst_entry *entries = dict->entries;
    uint32_t used = 0, i, hash;
    if (room > FST_DICT_MOST)
        return FST_NO_MEMORY;
    if (room > dict->room) {
        entries = (fst_entry *)fst_take(machine, room * sizeof *entries);
        if (entries == NULL)
            return FST_NO_MEMORY;
        if (room > FST_FEW_ENTRIES) {
            size_t slots = 4 * FST_FEW_ENTRIES;
            while (slots < 2 * room)
                slots *= 2;
            dict->slots = (fst_slot *)fst_take(machine, slots * sizeof *dict->slots);
            if (dict->slots == NULL)
                return FST_NO_MEMORY;
            dict->mask = (uint32_t)(slots - 1);
        }
        dict->room = (uint32_t)room;
    }
    for (i = 0; i < dict->used; i++)
        if (dict->entries[i].key.type != FST_UNSET)
            entries[used++] = dict->entries[i];
    dict->entries = entries;
    dict->used = used;
    dict->filled = 0;
    if (dict->slots != NULL) {
        memset(dict->slots, 0, ((size_t)dict->mask + 1) * sizeof *dict->slots);
        for (i = 0; i < used; i++) {
            FST_TRY(fst_hash(machine, &entries[i].key, &hash));
            fst_fill_slot(dict, hash, i);
        }
    }
    return FST_DONE;
}

/* Returns an empty dict with room for so many entries; NULL if there is too little memory. */
FST_INLINE fst_dict *
fst_new_dict(fst_machine *machine, size_t room)
{
    fst_dict *dict = (fst_dict *)fst_take(machine, sizeof *dict);
    if (dict == NULL)
        return NULL;
    memset(dict, 0, sizeof *dict);
    return room == 0 || fst_move_entries(machine, dict, room) == FST_DONE ? dict : NULL;
}

/* ---------------------------------------------------------------- searching */

FST_NOINLINE fst_entry *
fst_probe(fst_machine *machine, const fst_dict *dict, const fst_cell *key, uint32_t hash)
{
    uint32_t at = hash & dict->mask;
    int64_t probes;
    fst_entry *found = NULL;
    for (probes = 1; dict->slots[at].entry != 0; probes++, at = (at + 1) & dict->mask) {
        if (dict->slots[at].hash == hash) {
            fst_entry *entry = &dict->entries[dict->slots[at].entry - 1];
            if (fst_is_same_key(&entry->key, key)) {
                found = entry;
                break;
            }
        }
    }
    if (probes > FST_FREE_PROBES)
        machine->fuel -= probes;
    return found;
}

/* Returns the entry of a str, NULL if there is none. */
FST_INLINE fst_entry *
fst_find_text(fst_machine *machine, const fst_dict *dict, const char *text, size_t size)
{
    if (dict->slots == NULL) {
        fst_entry *entry = dict->entries, *end = entry + dict->used;
        for (; entry < end; entry++)
            if (entry->key.size == size && entry->key.type == FST_STR
                && fst_same_text(entry->key.text, text, size))
                return entry;
        return NULL;
    } else {
        const fst_cell key = fst_str(text, size, 0);
        return fst_probe(machine, dict, &key, fst_hash_text(text, size));
    }
}

/* Finds the entry of a key, which is settled: NULL if there is none. `hash` is computed where a
 * table needs it. */
FST_INLINE fst_status
fst_find_entry(
    fst_machine *machine, const fst_dict *dict, fst_cell *key, uint32_t *hash, fst_entry **found)
{
    fst_entry *entry, *end;
    if (dict->slots != NULL) {
        FST_TRY(fst_hash(machine, key, hash));
        *found = fst_probe(machine, dict, key, *hash);
        return machine->fuel < 0 ? FST_GIVE_BACK : FST_DONE;
    }
    if (key->type != FST_STR)
        FST_TRY(fst_hash(machine, key, hash));      /* for its error */
    if (key->type == FST_STR) {
        *found = fst_find_text(machine, dict, key->text, key->size);
        return FST_DONE;
    }
    *found = NULL;
    for (entry = dict->entries, end = entry + dict->used; entry < end; entry++)
        if (fst_is_same_key(&entry->key, key)) {
            *found = entry;
            break;
        }
    return FST_DONE;
}

/* Finds the value of a key, which is settled: NULL if there is none. */
FST_INLINE fst_status
fst_dict_get(fst_machine *machine, const fst_dict *dict, fst_cell *key, fst_cell **value)
{
    fst_entry *entry;
    uint32_t hash;
    FST_TRY(fst_find_entry(machine, dict, key, &hash, &entry));
    *value = entry == NULL ? NULL : &entry->value;
    return FST_DONE;
}

/* Returns the value of a str, NULL if there is none. */
FST_INLINE fst_cell *
fst_dict_get_text(fst_machine *machine, const fst_dict *dict, const char *text, size_t size)
{
    fst_entry *entry = fst_find_text(machine, dict, text, size);
    return entry == NULL ? NULL : &entry->value;
}

/* Returns the first entry at or behind a place, and moves the place behind it; NULL at the end. */
FST_INLINE fst_entry *
fst_next_entry(const fst_dict *dict, uint32_t *place)
{
    while (*place < dict->used) {
        fst_entry *entry = &dict->entries[(*place)++];
        if (entry->key.type != FST_UNSET)
            return entry;
    }
    return NULL;
}

/* ---------------------------------------------------------------- changing */

/* Adds an entry behind the others, of a key that is not in the dict. */
FST_NOINLINE fst_status
fst_add_entry(
    fst_machine *machine, fst_dict *dict, fst_cell key, uint32_t hash, const fst_cell *value)
{
    fst_entry *entry;
    if (dict->used == dict->room || dict->filled > dict->mask / 2) {
        size_t room = dict->room;
        if (dict->count > room / 2)
            room *= 2;
        FST_TRY(fst_move_entries(
            machine, dict, room < FST_FEW_ENTRIES ? FST_FEW_ENTRIES : room));
        if (dict->slots != NULL)
            FST_TRY(fst_hash(machine, &key, &hash));
    }
    if (dict->slots != NULL)
        fst_fill_slot(dict, hash, dict->used);
    entry = &dict->entries[dict->used++];
    entry->key = key;
    entry->value = value == NULL ? fst_none() : *value;
    dict->count++;
    dict->changes++;
    return FST_DONE;
}

/* Sets the value of a key, which is settled; of a set `value` is NULL. The first of equal keys
 * stays. */
FST_INLINE fst_status
fst_dict_set(fst_machine *machine, fst_dict *dict, fst_cell *key, const fst_cell *value)
{
    fst_entry *entry;
    uint32_t hash = 0;
    FST_TRY(fst_find_entry(machine, dict, key, &hash, &entry));
    if (entry == NULL)
        return fst_add_entry(machine, dict, *key, hash, value);
    if (value != NULL)
        entry->value = *value;
    return FST_DONE;
}

FST_INLINE void
fst_delete_entry(fst_dict *dict, fst_entry *entry)
{
    entry->key.type = FST_UNSET;
    dict->count--;
    dict->changes++;
    while (dict->used > 0 && dict->entries[dict->used - 1].key.type == FST_UNSET)
        dict->used--;
}

/* Deletes a key, which is settled; tells whether it was there, and its value. */
FST_INLINE fst_status
fst_dict_delete(
    fst_machine *machine, fst_dict *dict, fst_cell *key, fst_cell *value, int *found)
{
    fst_entry *entry;
    uint32_t hash;
    FST_TRY(fst_find_entry(machine, dict, key, &hash, &entry));
    *found = entry != NULL;
    if (entry != NULL) {
        *value = entry->value;
        fst_delete_entry(dict, entry);
    }
    return FST_DONE;
}

/* ---------------------------------------------------------------- from the text of the record */

enum { FST_SHALLOW_BYTES = 8 };     /* of text, that cost as much as an instruction */

/* The array or object as a value of the record, for fst_iterate. */
FST_INLINE fst_value
fst_value_of(const fst_cell *cell)
{
    fst_value value = {{NULL, 0}, FST_ABSENT, 0};
    value.text.start = cell->text;
    value.text.size = (ptrdiff_t)cell->size;
    value.kind = cell->type == FST_OBJECT_TEXT  ? FST_OBJECT
                 : cell->type == FST_ARRAY_TEXT ? FST_ARRAY
                 : cell->type == FST_NUMBER_TEXT ? FST_NUMBER
                                                 : FST_STRING;
    return value;
}

FST_NOINLINE fst_status
fst_make_shallow(fst_machine *machine, fst_cell *cell, int frozen)
{
    fst_items items = fst_iterate(machine->record, fst_value_of(cell));
    fst_member item;
    machine->fuel -= cell->size / FST_SHALLOW_BYTES;
    if (machine->fuel < 0)
        return FST_GIVE_BACK;
    if (cell->type == FST_ARRAY_TEXT) {
        fst_list *list = fst_new_list(machine, 0);
        if (list == NULL)
            return FST_NO_MEMORY;
        while (fst_next(&items, &item))
            FST_TRY(fst_append(machine, list, fst_cell_of(machine, &item.value)));
        list->frozen = (uint32_t)frozen;
        *cell = fst_object(FST_LIST, list);
    } else {
        fst_dict *dict = fst_new_dict(machine, 0);
        if (dict == NULL)
            return FST_NO_MEMORY;
        while (fst_next(&items, &item)) {
            fst_cell value = fst_cell_of(machine, &item.value);
            fst_cell name = fst_str(
                item.name.start, (size_t)item.name.size, FST_ASCII | FST_CLEAN);
            if (!item.plain)
                name.type = FST_STRING_TEXT;
            FST_TRY(fst_dict_set(machine, dict, &name, &value));
        }
        dict->frozen = (uint32_t)frozen;
        *cell = fst_object(FST_DICT, dict);
    }
    return FST_DONE;
}

/* Turns FST_ARRAY_TEXT into FST_LIST, and FST_OBJECT_TEXT into FST_DICT, in place; what is in them
 * stays text. They are frozen. Other values stay. */
FST_INLINE fst_status
fst_shallow(fst_machine *machine, fst_cell *cell)
{
    if (cell->type != FST_ARRAY_TEXT && cell->type != FST_OBJECT_TEXT)
        return FST_DONE;
    return fst_make_shallow(machine, cell, 1);
}

enum { FST_THAW_DEPTH = 100 };      /* of what is thawed deeply; more is given back */

FST_NOINLINE fst_status
fst_thaw_nested(fst_machine *machine, fst_cell *cell, int depth)
{
    uint32_t i;
    if (cell->type != FST_ARRAY_TEXT && cell->type != FST_OBJECT_TEXT)
        return FST_DONE;
    if (depth == 0)
        return FST_GIVE_BACK;
    FST_TRY(fst_make_shallow(machine, cell, 0));
    if (cell->type == FST_LIST) {
        fst_list *list = (fst_list *)cell->object;
        for (i = 0; i < list->count; i++)
            FST_TRY(fst_thaw_nested(machine, &list->items[i], depth - 1));
    } else {
        fst_dict *dict = (fst_dict *)cell->object;
        for (i = 0; i < dict->used; i++)
            FST_TRY(fst_thaw_nested(machine, &dict->entries[i].value, depth - 1));
    }
    return FST_DONE;
}

/* As fst_shallow, of text that no other cell has a copy of: the result may be changed, and deeply
 * all that is in it. */
FST_INLINE fst_status
fst_thaw(fst_machine *machine, fst_cell *cell, int deeply)
{
    if (deeply)
        return fst_thaw_nested(machine, cell, FST_THAW_DEPTH);
    if (cell->type != FST_ARRAY_TEXT && cell->type != FST_OBJECT_TEXT)
        return FST_DONE;
    return fst_make_shallow(machine, cell, 0);
}

#endif
