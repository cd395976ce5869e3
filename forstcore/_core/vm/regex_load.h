/* regex_load.h: patterns from the integers that the compiler hands over.
 *
 * Whatever the integers are, a pattern that was loaded reads nothing out of its bounds, and ends. */
#ifndef FST_VM_REGEX_LOAD_H
#define FST_VM_REGEX_LOAD_H

#include "regex_program.h"

/* The integers that are still to be read. */
typedef struct fst_regex_input {
    const uint32_t *at;
    const uint32_t *end;
} fst_regex_input;

/* Returns the next `count` integers; NULL if there are fewer. */
FST_INLINE const uint32_t *
fst_regex_take(fst_regex_input *input, size_t count)
{
    const uint32_t *at = input->at;
    if ((size_t)(input->end - at) < count)
        return NULL;
    input->at += count;
    return at;
}

FST_NOINLINE int
fst_load_regex_sets(fst_machine *machine, fst_pattern *pattern, fst_regex_input *input)
{
    enum { BITS = 8 };
    const size_t tables = (pattern->set_count + BITS - 1) / BITS;
    uint8_t *table = (uint8_t *)fst_take(machine, tables * FST_REGEX_TABLE + 1);
    fst_regex_set *sets
        = (fst_regex_set *)fst_take(machine, pattern->set_count * sizeof *sets + 1);
    uint32_t i, k;
    if (table == NULL || sets == NULL)
        return 0;
    memset(table, 0, tables * FST_REGEX_TABLE);
    for (i = 0; i < pattern->set_count; i++) {
        const uint32_t *mask = fst_regex_take(input, FST_REGEX_MASK + 4);
        fst_regex_set *set = &sets[i];
        uint8_t *own = table + i / BITS * FST_REGEX_TABLE;
        uint32_t *ranges;
        if (mask == NULL)
            return 0;
        set->table = own;
        set->bit = (uint8_t)(1u << i % BITS);
        for (k = 0; k < FST_REGEX_TABLE; k++)
            if (mask[k / 32] >> k % 32 & 1)
                own[k] |= set->bit;
        mask += FST_REGEX_MASK;
        if (mask[0] > FST_WIDE_LISTED || mask[1] > 1 || mask[2] >= FST_CATEGORIES
            || mask[3] > FST_REGEX_MOST)
            return 0;
        set->wide = (uint8_t)mask[0];
        set->negated = (uint8_t)mask[1];
        set->categories = (uint8_t)mask[2];
        set->range_count = mask[3];
        ranges = (uint32_t *)fst_take(machine, 2 * (size_t)mask[3] * sizeof *ranges + 1);
        mask = fst_regex_take(input, 2 * (size_t)mask[3]);
        if (ranges == NULL || mask == NULL)
            return 0;
        memcpy(ranges, mask, 2 * (size_t)set->range_count * sizeof *ranges);
        set->ranges = ranges;
    }
    pattern->sets = sets;
    return 1;
}

/* Whether an operand is what an instruction needs; `next` is the operand behind it. */
FST_NOINLINE int
fst_is_regex_operand(const fst_pattern *pattern, char kind, uint32_t operand, uint32_t next)
{
    switch (kind) {
    case 's':
        return operand <= pattern->set_count;
    case 'x':
        return operand > 0 && operand <= pattern->set_count;
    case 'p':
        return operand < pattern->op_count;
    case 't':
        return operand <= pattern->text_size && next <= pattern->text_size - operand;
    case 'm':
        return operand >= 2 && operand < 2 * (pattern->groups + 1);
    case 'g':
        return operand >= 1 && operand <= pattern->groups;
    case 'l':
        return operand < pattern->loop_count;
    case 'n':
        return 1;
    default:
        return operand == 0;
    }
}

FST_NOINLINE int
fst_load_regex_ops(fst_machine *machine, fst_pattern *pattern, fst_regex_input *input)
{
    fst_regex_op *ops = (fst_regex_op *)fst_take(machine, pattern->op_count * sizeof *ops);
    uint32_t i, k;
    if (ops == NULL)
        return 0;
    for (i = 0; i < pattern->op_count; i++) {
        const uint32_t *op = fst_regex_take(input, 5);
        const char *kinds;
        if (op == NULL || op[0] >= FST_REGEX_CODE_COUNT || op[1] > FST_REGEX_MOST)
            return 0;
        kinds = FST_REGEX_OPERANDS[op[0]];
        for (k = 0; k < 4; k++)
            if (!fst_is_regex_operand(pattern, kinds[k], op[k + 1], k < 3 ? op[k + 2] : 0))
                return 0;
        ops[i].code = (uint16_t)op[0];
        ops[i].set = (uint16_t)op[1];
        ops[i].a = op[2];
        ops[i].b = op[3];
        ops[i].c = op[4];
    }
    pattern->ops = ops;
    i = ops[pattern->op_count - 1].code;
    return i == FST_REGEX_MATCH || i == FST_REGEX_FAIL || i == FST_REGEX_JUMP;
}

FST_NOINLINE int
fst_load_regex_rest(fst_machine *machine, fst_pattern *pattern, fst_regex_input *input)
{
    fst_regex_loop *loops
        = (fst_regex_loop *)fst_take(machine, pattern->loop_count * sizeof *loops + 1);
    fst_regex_name *names
        = (fst_regex_name *)fst_take(machine, pattern->name_count * sizeof *names + 1);
    char *text = (char *)fst_take(machine, (size_t)pattern->text_size + 1);
    const uint32_t *from;
    uint32_t i;
    if (loops == NULL || names == NULL || text == NULL)
        return 0;
    for (i = 0; i < pattern->loop_count; i++) {
        if ((from = fst_regex_take(input, 2)) == NULL)
            return 0;
        loops[i].least = from[0];
        loops[i].most = from[1];
    }
    for (i = 0; i < pattern->name_count; i++) {
        if ((from = fst_regex_take(input, 3)) == NULL
            || !fst_is_regex_operand(pattern, 'g', from[0], 0)
            || !fst_is_regex_operand(pattern, 't', from[1], from[2]))
            return 0;
        names[i].group = from[0];
        names[i].start = from[1];
        names[i].size = from[2];
    }
    if ((from = fst_regex_take(input, pattern->text_size)) == NULL)
        return 0;
    for (i = 0; i < pattern->text_size; i++)
        text[i] = (char)from[i];
    pattern->loops = loops;
    pattern->names = names;
    pattern->text = text;
    return input->at == input->end;
}

/* Whether the data for searching agree with the instructions. */
FST_NOINLINE int
fst_is_regex_search(fst_pattern *pattern)
{
    const fst_regex_op *op = &pattern->ops[0];
    if (pattern->first > pattern->set_count || pattern->second > pattern->set_count
        || pattern->run > pattern->set_count)
        return 0;
    if (pattern->prefix_size == 0)
        return 1;
    /* Zeros stand behind the end of a text. */
    if (pattern->fixed_count > 0
        && (pattern->fixed_at >= pattern->least || pattern->fixed_low == 0
            || pattern->fixed_low > 0x80 || pattern->fixed_count > 0x80 - pattern->fixed_low))
        return 0;
    pattern->prefix = op->a;
    return op->code == FST_REGEX_TEXT && op->b == pattern->prefix_size;
}

/* Returns a pattern that lives as long as what the machine's arena has; NULL if the integers are no
 * pattern, or there is too little memory. */
FST_NOINLINE fst_pattern *
fst_load_pattern(fst_machine *machine, const uint32_t *integers, size_t count)
{
    fst_regex_input input;
    fst_pattern *pattern = (fst_pattern *)fst_take(machine, sizeof *pattern);
    const uint32_t *head;
    int i;
    input.at = integers;
    input.end = integers + count;
    head = fst_regex_take(&input, FST_REGEX_HEAD);
    if (pattern == NULL || head == NULL)
        return NULL;
    for (i = FST_REGEX_OP_COUNT; i <= FST_REGEX_TEXT_SIZE; i++)
        if (head[i] > FST_REGEX_MOST)
            return NULL;
    memset(pattern, 0, sizeof *pattern);
    pattern->op_count = head[FST_REGEX_OP_COUNT];
    pattern->set_count = head[FST_REGEX_SET_COUNT];
    pattern->loop_count = head[FST_REGEX_LOOP_COUNT];
    pattern->name_count = head[FST_REGEX_NAME_COUNT];
    pattern->text_size = head[FST_REGEX_TEXT_SIZE];
    pattern->groups = head[FST_REGEX_GROUP_COUNT];
    pattern->prefix_size = head[FST_REGEX_PREFIX_SIZE];
    pattern->first = head[FST_REGEX_FIRST];
    pattern->second = head[FST_REGEX_SECOND];
    pattern->anchored = head[FST_REGEX_ANCHORED];
    pattern->run = head[FST_REGEX_RUN];
    pattern->least = head[FST_REGEX_LEAST];
    pattern->fixed_at = head[FST_REGEX_FIXED_AT];
    pattern->fixed_low = head[FST_REGEX_FIXED_LOW];
    pattern->fixed_count = head[FST_REGEX_FIXED_COUNT];
    if (pattern->op_count == 0 || pattern->groups > FST_REGEX_GROUPS
        || pattern->loop_count > FST_REGEX_LOOPS)
        return NULL;
    if (!fst_load_regex_sets(machine, pattern, &input)
        || !fst_load_regex_ops(machine, pattern, &input)
        || !fst_load_regex_rest(machine, pattern, &input) || !fst_is_regex_search(pattern))
        return NULL;
    return pattern;
}

#endif
