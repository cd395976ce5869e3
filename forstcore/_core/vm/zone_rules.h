/* zone_rules.h: time zones whose offset from UTC changes, and times in them.
 *
 * A zone is the list that zone_changes() in _zones.py makes: its items are tuples of the first
 * second in UTC, the offset and the name. Times before the first and behind the last of them are
 * given back. A time in such a zone is a type of its own, FST_ZONED, for which only operations are
 * there that do not depend on which objects Python has for zones: no comparison, for example. */
#ifndef FST_VM_ZONE_RULES_H
#define FST_VM_ZONE_RULES_H

#include "date_values.h"

enum { FST_LONGEST_OFFSET = 86400 };    /* in seconds */

FST_INLINE fst_cell
fst_rules_of(fst_cell changes)
{
    return fst_object(FST_RULES, changes.object);
}

FST_INLINE const fst_cell *
fst_change_of(const fst_list *rules, uint32_t i)
{
    return ((const fst_list *)rules->items[i].object)->items;
}

/* Where a change is for the clocks of a zone: in UTC, or in local time before or after it. */
typedef enum fst_clock { FST_IN_UTC, FST_FIRST_TIME, FST_SECOND_TIME } fst_clock;

FST_INLINE int64_t
fst_second_of_change(const fst_list *rules, uint32_t i, fst_clock clock)
{
    const fst_cell *change = fst_change_of(rules, i);
    int64_t before, behind;
    if (clock == FST_IN_UTC)
        return change[0].integer;
    before = fst_change_of(rules, i - 1)[1].integer;
    behind = change[1].integer;
    return change[0].integer
           + ((before > behind) == (clock == FST_FIRST_TIME) ? before : behind);
}

/* Finds the change before a second; returns its index, or -1 if the second is not known. */
FST_INLINE int64_t
fst_find_change(const fst_list *rules, int64_t second, fst_clock clock)
{
    uint32_t low = 1, high = rules->count - 1;
    if (second < fst_change_of(rules, 0)[0].integer + FST_LONGEST_OFFSET
        || second >= fst_change_of(rules, high)[0].integer - FST_LONGEST_OFFSET)
        return -1;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (fst_second_of_change(rules, middle, clock) <= second)
            low = middle + 1;
        else
            high = middle;
    }
    return (int64_t)low - 1;
}

FST_INLINE void
fst_set_change(fst_datetime *value, const fst_list *rules, int64_t change)
{
    value->has_zone = 1;
    value->rules = rules;
    value->zone_name = &fst_change_of(rules, (uint32_t)change)[2];
    value->offset = (int32_t)fst_change_of(rules, (uint32_t)change)[1].integer;
}

/* Sets a time to microseconds since 1970 in UTC, in a zone. */
FST_INLINE fst_status
fst_set_in_zone(fst_datetime *value, const fst_list *rules, int64_t microseconds)
{
    const int64_t second = fst_divide_down(microseconds, FST_SECOND);
    const int64_t change = fst_find_change(rules, second, FST_IN_UTC);
    int64_t shift;
    if (change < 0)
        return FST_GIVE_BACK;
    fst_set_change(value, rules, change);
    if (!fst_set_microseconds(value, microseconds + value->offset * FST_SECOND))
        return FST_GIVE_BACK;
    value->fold = 0;
    if (change > 0) {
        shift = fst_change_of(rules, (uint32_t)change - 1)[1].integer - value->offset;
        value->fold = shift > second - fst_change_of(rules, (uint32_t)change)[0].integer;
    }
    return FST_DONE;
}

/* Sets the offset of a time from what the clocks of a zone show. */
FST_INLINE fst_status
fst_put_in_zone(fst_datetime *value, const fst_list *rules)
{
    const int64_t second = fst_divide_down(fst_local_microseconds(value), FST_SECOND);
    const int64_t change =
        fst_find_change(rules, second, value->fold ? FST_SECOND_TIME : FST_FIRST_TIME);
    if (change < 0)
        return FST_GIVE_BACK;
    fst_set_change(value, rules, change);
    return FST_DONE;
}

/* Adds a duration to what the clocks of a zone show. */
FST_NOINLINE fst_status
fst_move_in_zone(fst_machine *machine, fst_cell *to, const fst_cell *time, int64_t duration)
{
    fst_datetime value = *fst_datetime_of(time);
    if (!fst_set_microseconds(&value, fst_local_microseconds(&value) + duration))
        return FST_GIVE_BACK;
    value.fold = 0;
    FST_TRY(fst_put_in_zone(&value, value.rules));
    return fst_new_datetime(machine, to, FST_ZONED, &value);
}

#endif
