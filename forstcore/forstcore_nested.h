/*
 * forstcore_nested.h: the values of a record below its first level.
 *
 * forstcore.h includes this, behind the types that it declares.
 */
#ifndef FORSTCORE_NESTED_H
#define FORSTCORE_NESTED_H

/*
 * Returns the value at a path; of kind FST_ABSENT where there is none, as where a name meets an
 * array, or the path is none. Of several members with one name the last counts, at each level.
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

/* Makes a path, of a text that lives as long as it. */
static inline fst_path
fst_path_of(const char *text)
{
    fst_path path = {text, 0, 0};
    return path;
}

/* fst_find_path without a state, which finds the value anew in each record. */
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

/* As fst_find, in an object that is a value of the record; absent where it is no object. */
static inline fst_value
fst_get(const fst_record *record, fst_value object, const char *name, ptrdiff_t size)
{
    fst_value value;
    record->calls->get(record, &object, name, size, &value);
    return value;
}

/* fst_get for a name that is a literal. */
#define FST_GET(record, object, literal) \
    fst_get((record), (object), "" literal, (ptrdiff_t)sizeof(literal) - 1)

/*
 * Begins to read the members of an object or the elements of an array, in the order they came in;
 * any other value has none:
 *
 *     fst_member item;
 *     fst_items items = fst_iterate(record, tags);
 *     while (fst_next(&items, &item))
 *         ...
 *
 * Items may be iterated in turn. Each is read to its end by the fst_next that returns it, so a
 * byte is read once for each value around it that is iterated.
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

/* Reads the next member, or the next element as a member whose name is empty; returns whether
 * there is one. */
static inline int
fst_next(fst_items *items, fst_member *item)
{
    return items->at != NULL && items->record->calls->next(items, item);
}

/* Returns an element of an array, counted from 0; absent where there is none. */
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
