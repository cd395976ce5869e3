/* Read the values of one record that has the expected gaps; see shapes.h, which includes this once
 * for each path.
 *
 * FST_READ_VALUES is the name of the function, FST_TARGET what it is compiled for, FST_IS_TEXT how
 * it compares. */
FST_NOINLINE FST_ALIGNED FST_TARGET int
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
        if (!FST_LIKELY(value != NULL))
            return fst_end_record(reader, gap, here.p, lf);
        if (*first == '"') {
            here.p = fst_read_string(first, start + here.at[gap->marks], value);
            here.at += gap->marks + 2;
        } else if (*first == '[' || *first == '{') {
            if (*first == '{' && !gap->takes_object)
                break;
            here.p = first;
            here.at += gap->marks;
            here = fst_read_container(start, here, value);
            if (here.p == NULL)
                return 0;
        } else {
            /* Its end is where the next gap begins, whose first mark is known. That it reaches to
             * there is checked, but nothing waits for it. */
            const uint8_t *end = start + here.at[gap->marks - 1] - next[1]->first_mark;
            here.at += gap->marks;
            here.p = end;
            if (!FST_LIKELY(fst_read_expected(first, end, value))) {
                here.p = fst_read_scalar(first, value);
                if (here.p == NULL)
                    return 0;
                if (here.p != end) {
                    next++;
                    break;
                }
            }
            FST_KEEP(here.p);       /* not to be replaced by what is the same and later */
        }
    }
    return fst_read_unexpected(reader, (int)(next - reader->gaps), here, lf);
}

#undef FST_READ_VALUES
#undef FST_IS_TEXT
#undef FST_TARGET
