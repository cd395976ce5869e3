/*
 * forstcore_nested.h: access to nested values of a record.
 *
 * Included by forstcore.h, after its types.
 */
#ifndef FORSTCORE_NESTED_H
#define FORSTCORE_NESTED_H

/*
 * Returns the value at a path, or a value of kind FST_ABSENT if there is none, for example if a
 * name is looked up in an array, or the path is invalid. If several members have one name, the last
 * one counts, at each level.
 */
static inline fst_value
fst_find_path(const fst_record *record, fst_path *path)
{
    fst_value value;
    if (path->shape != 0 && path->shape == record->shape)
        return record->values[path->place];
    record->calls->find_path(record, path, &value);
    return value;
}

/* Makes a path of a text, which must live as long as the path. */
static inline fst_path
fst_path_of(const char *text)
{
    fst_path path = {text, 0, 0};
    return path;
}

/* fst_find_path without a state; it searches each record from the start. */
static inline fst_value
fst_find_at(const fst_record *record, const char *text)
{
    fst_path path = fst_path_of(text);
    return fst_find_path(record, &path);
}

/* Returns the record as a value, for fst_iterate. */
static inline fst_value
fst_root(const fst_record *record)
{
    fst_value value = {{NULL, 0}, FST_OBJECT, 0};
    value.text = record->text;
    return value;
}

/* Like fst_find, in an object that is a value of the record; absent if it is not an object. */
static inline fst_value
fst_get(const fst_record *record, fst_value object, const char *name, ptrdiff_t size)
{
    fst_value value;
    record->calls->get(record, &object, name, size, &value);
    return value;
}

/* fst_get for a string literal. */
#define FST_GET(record, object, literal) \
    fst_get((record), (object), "" literal, (ptrdiff_t)sizeof(literal) - 1)

/*
 * Starts reading the members of an object or the elements of an array, in the order of the input;
 * any other value has none:
 *
 *     fst_member item;
 *     fst_items items = fst_iterate(record, tags);
 *     while (fst_next(&items, &item))
 *         ...
 *
 * Items can be iterated, too. fst_next reads each item to its end, so a byte is read once for each
 * iterated value that contains it.
 */
static inline fst_items
fst_iterate(const fst_record *record, fst_value value)
{
    fst_items items = {NULL, NULL, 0};
    items.record = record;
    items.named = value.kind == FST_OBJECT;
    if (value.kind == FST_OBJECT || value.kind == FST_ARRAY)
        items.at = value.text.start;
    return items;
}

/* Reads the next member, or the next element as a member with an empty name; returns whether there
 * is one. */
static inline int
fst_next(fst_items *items, fst_member *item)
{
    return items->at != NULL && items->record->calls->next(items, item);
}

/* Returns an element of an array, counted from 0; absent if there is none. */
static inline fst_value
fst_element(const fst_record *record, fst_value array, ptrdiff_t index)
{
    static const fst_value none = {{NULL, 0}, FST_ABSENT, 0};
    fst_member item;
    fst_items items = fst_iterate(record, array);
    if (array.kind == FST_ARRAY)
        for (; index >= 0 && fst_next(&items, &item); index--)
            if (index == 0)
                return item.value;
    return none;
}

/* Returns the name of a member as a string, for fst_is, fst_text and fst_put_value. */
static inline fst_value
fst_name(const fst_member *member)
{
    fst_value value = {{NULL, 0}, FST_STRING, 0};
    value.text = member->name;
    value.plain = member->plain;
    return value;
}

#endif
