/* Read the values of one record that has the expected gaps; see shapes.h, which includes this once
 * for each path.
 *
 * FST_READ_VALUES is the name of the function, FST_TARGET what it is compiled for, FST_IS_TEXT how
 * it compares. */
FST_COLD FST_TARGET int
FST_READ_VALUES(fst_reader *reader, const uint8_t *p, const uint8_t *lf)
{
    const uint8_t *start = reader->marks.start;
    fst_gap **next = reader->gaps;
    fst_position here = {p, reader->marks.at + reader->mark + 1};
    for (;; next++) {
        const fst_gap *gap = *next;
        fst_value *value = gap->value;
        const uint8_t *first = here.p + gap->size;
        if (!FST_LIKELY(FST_IS_TEXT(here.p, gap->text, gap->size, gap->mask)))
            break;
        if (!FST_LIKELY(value != NULL)) {
            reader->end = here.p + gap->size;
            reader->record_end = here.p + gap->events[gap->event_count - 1].at + 1;
            return reader->end == lf + 1;
        }
        if (*first == '"') {
            const uint8_t *end = start + here.at[gap->marks];
            value->kind = FST_STRING;
            value->text.start = (const char *)first + 1;
            value->text.size = end - first - 1;
            here.p = end + 1;
            here.at += gap->marks + 2;
        } else if (*first == '{' && !gap->takes_object) {
            break;
        } else {
            here.p = first;
            here.at += gap->marks;
            here = fst_read_other(start, here, value);
            if (here.p == NULL)
                return 0;
        }
    }
    return fst_read_unexpected(reader, (int)(next - reader->gaps), here, lf);
}

#undef FST_READ_VALUES
#undef FST_IS_TEXT
#undef FST_TARGET
