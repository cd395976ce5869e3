/*
 * regex.h: matches a text with a regular expression, as Python's re does.
 *
 * It tries what comes first in the pattern, and keeps what is left to be tried, and how to restore
 * marks and loops before it, on a stack; so it needs no recursion. Each step back uses up fuel.
 *
 * The text is UTF-8. Only sets look at whole characters: literal text, and the bytes that may come
 * first in a part of the pattern, are compared byte by byte. */
#ifndef FST_VM_REGEX_H
#define FST_VM_REGEX_H

#include "regex_state.h"

#define FST_REGEX_PUSH(kind_, op_, a_, b_, c_) \
    do { \
        fst_regex_entry *fst_entry_; \
        if (top == regex->room && !fst_grow_regex_stack(regex)) \
            return FST_NO_MEMORY; \
        fst_entry_ = &regex->stack[top++]; \
        fst_entry_->kind = (kind_); \
        fst_entry_->op = (uint16_t)(op_); \
        fst_entry_->a = (uint32_t)(a_); \
        fst_entry_->b = (uint32_t)(b_); \
        fst_entry_->c = (uint32_t)(c_); \
    } while (0)

#define FST_REGEX_PUSH_LOOP(loop) \
    FST_REGEX_PUSH(FST_RESTORE_LOOP, 0, loop, regex->counts[loop], regex->turns[loop])

/* Whether the pattern, from an instruction on, matches at a place; then its end is mark 1. */
static fst_status
fst_match_at(fst_regex *regex, uint32_t first, fst_bytes at, int *matched)
{
    const fst_pattern *pattern = regex->pattern;
    const fst_regex_op *ops = pattern->ops, *op = ops + first;
    fst_bytes text = regex->text, end = regex->end, next, least;
    int64_t fuel = regex->machine->fuel;
    uint32_t top = 0, inside = FST_REGEX_NONE, count;
    int is_there;

    for (;;) {
        switch (op->code) {
        case FST_REGEX_MATCH:
            if ((regex->whole && at != end)
                || (regex->must_advance && at == text + regex->start))
                goto fail;
            regex->marks[1] = (uint32_t)(at - text);
            regex->machine->fuel = fuel;
            *matched = 1;
            return FST_DONE;
        case FST_REGEX_FAIL:
            goto fail;

        case FST_REGEX_BYTE:
            if (at == end || *at != op->a)
                goto fail;
            at++;
            break;
        case FST_REGEX_TEXT:
            if ((size_t)(end - at) < op->b || memcmp(at, pattern->text + op->a, op->b) != 0)
                goto fail;
            at += op->b;
            break;
        case FST_REGEX_SET:
            at = fst_match_set(&pattern->sets[op->set - 1], at, end);
            if (at == NULL)
                goto fail;
            break;

        case FST_REGEX_GREEDY:
        case FST_REGEX_POSSESSIVE: {
            const fst_regex_set *set = &pattern->sets[op->set - 1];
            least = fst_match_count(set, at, end, op->a);
            if (least == NULL)
                goto fail;
            next = fst_match_run(
                set, least, end, op->b == FST_REGEX_NONE ? op->b : op->b - op->a);
            fuel -= (int64_t)((size_t)(next - at) / FST_REGEX_STEP);
            if (op->code == FST_REGEX_GREEDY && next > least)
                FST_REGEX_PUSH(FST_TRY_SHORTER, op - ops, next - text, least - text, 0);
            at = next;
            break;
        }
        case FST_REGEX_LAZY:
            at = fst_match_count(&pattern->sets[op->set - 1], at, end, op->a);
            if (at == NULL)
                goto fail;
            if (op->b > op->a)
                FST_REGEX_PUSH(
                    FST_TRY_LONGER, op - ops, at - text,
                    op->b == FST_REGEX_NONE ? op->b : op->b - op->a, 0);
            if (!fst_may_follow(pattern, op->c, at, end))
                goto fail;
            break;

        case FST_REGEX_ALTERNATIVE:
            if (!fst_may_follow(pattern, op->set, at, end)) {
                op = ops + op->a;
                if (--fuel < 0)
                    return FST_GIVE_BACK;
                continue;
            }
            if (fst_may_follow(pattern, op->b, at, end))
                FST_REGEX_PUSH(FST_TRY_AT, op->a, at - text, 0, 0);
            break;
        case FST_REGEX_DECIDE:
            if (fst_may_follow(pattern, op->set, at, end)) {
                op = ops + op->a;
                if (--fuel < 0)
                    return FST_GIVE_BACK;
                continue;
            }
            if (!fst_may_follow(pattern, op->b, at, end))
                goto fail;
            break;
        case FST_REGEX_JUMP:
            op = ops + op->a;
            if (--fuel < 0)
                return FST_GIVE_BACK;
            continue;
        case FST_REGEX_MARK:
            if (top > 0)
                FST_REGEX_PUSH(
                    FST_RESTORE_MARK, 0, op->a, regex->marks[op->a], regex->last_group);
            regex->marks[op->a] = (uint32_t)(at - text);
            if (op->a & 1)
                regex->last_group = op->a / 2;
            break;

        case FST_REGEX_LOOP:
            if (top > 0)
                FST_REGEX_PUSH_LOOP(op->a);
            regex->counts[op->a] = FST_REGEX_NONE;      /* one less than 0 */
            regex->turns[op->a] = FST_REGEX_NONE;
            op = ops + op->b;
            if (--fuel < 0)
                return FST_GIVE_BACK;
            continue;
        case FST_REGEX_UNTIL:
        case FST_REGEX_UNTIL_LAZY:
        case FST_REGEX_AGAIN: {
            const fst_regex_loop *loop = &pattern->loops[op->a];
            count = regex->counts[op->a] + 1;
            if (count >= loop->least) {
                const int may_turn = (count < loop->most || loop->most == FST_REGEX_NONE)
                                     && (uint32_t)(at - text) != regex->turns[op->a];
                if (op->code == FST_REGEX_UNTIL_LAZY) {
                    FST_REGEX_PUSH(FST_TRY_AT, op->c, at - text, 0, 0);
                    break;
                }
                if (!may_turn) {
                    if (op->code == FST_REGEX_AGAIN)
                        goto fail;
                    break;
                }
                if (op->code == FST_REGEX_UNTIL)
                    FST_REGEX_PUSH(FST_TRY_AT, op + 1 - ops, at - text, 0, 0);
                FST_REGEX_PUSH_LOOP(op->a);
                regex->turns[op->a] = (uint32_t)(at - text);
            } else {
                FST_REGEX_PUSH_LOOP(op->a);
            }
            regex->counts[op->a] = count;
            op = ops + op->b;
            if (--fuel < 0)
                return FST_GIVE_BACK;
            continue;
        }

        case FST_REGEX_LOOK:
        case FST_REGEX_LOOK_NOT:
            next = fst_go_back(text, at, op->b);
            if (next == NULL) {
                if (op->code == FST_REGEX_LOOK)
                    goto fail;
                op = ops + op->a;
                if (--fuel < 0)
                    return FST_GIVE_BACK;
                continue;
            }
            count = top;
            FST_REGEX_PUSH(
                op->code == FST_REGEX_LOOK ? FST_INSIDE : FST_INSIDE_NOT, op->a, at - text, 0,
                inside);
            inside = count;
            at = next;
            break;
        case FST_REGEX_ATOMIC:
            count = top;
            FST_REGEX_PUSH(FST_INSIDE, op->a, at - text, 0, inside);
            inside = count;
            break;
        case FST_REGEX_LOOK_END:
        case FST_REGEX_ATOMIC_END: {
            fst_regex_entry entry;
            if (inside >= top)
                return FST_GIVE_BACK;
            entry = regex->stack[inside];
            if (op->code == FST_REGEX_LOOK_END)
                at = text + entry.a;
            top = fst_close_group(regex, inside, top);
            inside = entry.c;
            break;
        }
        case FST_REGEX_LOOK_NOT_END:
            if (inside >= top)
                return FST_GIVE_BACK;
            while (--top > inside)
                fst_restore(regex, &regex->stack[top]);
            inside = regex->stack[inside].c;
            goto fail;

        case FST_REGEX_IF_GROUP:
            if (!fst_has_group(regex, op->a)) {
                op = ops + op->b;
                if (--fuel < 0)
                    return FST_GIVE_BACK;
                continue;
            }
            break;
        case FST_REGEX_BACKREF:
        case FST_REGEX_BACKREF_FOLDED:
        case FST_REGEX_BACKREF_FOLDED_ASCII:
            next = fst_match_again(regex, op->code, op->a, at);
            if (next == NULL)
                goto fail;
            fuel -= (next - at) / FST_REGEX_STEP;
            at = next;
            break;

        default:
            FST_TRY(fst_is_at(regex, op->code, at, &is_there));
            if (!is_there)
                goto fail;
            break;
        }
        op++;
        continue;

    fail:
        for (;;) {
            fst_regex_entry *entry;
            if (top == 0) {
                regex->machine->fuel = fuel;
                *matched = 0;
                return FST_DONE;
            }
            if (--fuel < 0)
                return FST_GIVE_BACK;
            entry = &regex->stack[--top];
            op = ops + entry->op;
            at = text + entry->a;
            if (entry->kind == FST_TRY_AT)
                break;
            if (entry->kind == FST_TRY_SHORTER) {
                least = text + entry->b;
                next = at;
                do
                    next = fst_previous_character(text, next);
                while (next > least && !fst_may_follow(pattern, op->c, next, end));
                fuel -= (at - next) / FST_REGEX_STEP;
                entry->a = (uint32_t)(next - text);
                top += next > least;
                at = next;
                if (!fst_may_follow(pattern, op->c, at, end))
                    continue;
                op++;
                break;
            }
            if (entry->kind == FST_TRY_LONGER) {
                next = fst_match_until(pattern, op, at, end, &entry->b);
                if (next == NULL)
                    continue;
                fuel -= (next - at) / FST_REGEX_STEP;
                entry->a = (uint32_t)(next - text);
                top += entry->b > 0;
                at = next;
                op++;
                break;
            }
            if (entry->kind == FST_INSIDE || entry->kind == FST_INSIDE_NOT) {
                inside = entry->c;
                if (entry->kind == FST_INSIDE_NOT)
                    break;
            }
            fst_restore(regex, entry);
        }
    }
}

#endif
