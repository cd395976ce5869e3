/* html_text.h: escape() and unescape() of html. */
#ifndef FST_VM_HTML_TEXT_H
#define FST_VM_HTML_TEXT_H

#include "text_builder.h"

/* The entity for a character in HTML; NULL if it needs none. */
FST_INLINE const char *
fst_html_entity(char character, int quote)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return quote ? "&quot;" : NULL;
    case '\'':
        return quote ? "&#x27;" : NULL;
    default:
        return NULL;
    }
}

/* html.escape(s, quote?) */
FST_NOINLINE fst_status
fst_html_escape(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_builder builder = fst_begin_text(machine);
    fst_cell *str = &arguments[0];
    const char *at, *end, *plain;
    int quote = 1;
    FST_TRY(fst_settle_self(machine, str));
    if (arguments[1].type != FST_UNSET)
        FST_TRY(fst_truth(machine, &arguments[1], &quote));
    end = str->text + str->size;
    for (at = plain = str->text; at < end; at++) {
        const char *entity = fst_html_entity(*at, quote);
        if (entity == NULL)
            continue;
        FST_TRY(fst_put_text(&builder, plain, (size_t)(at - plain), str->flags));
        FST_TRY(fst_put_text(&builder, entity, strlen(entity), FST_ASCII | FST_CLEAN));
        plain = at + 1;
    }
    FST_TRY(fst_put_text(&builder, plain, (size_t)(end - plain), str->flags));
    *to = fst_end_text(&builder);
    return FST_DONE;
}

/* html.unescape(s): the table of names is Python's. */
FST_NOINLINE fst_status
fst_html_unescape(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *str = &arguments[0];
    FST_TRY(fst_settle(machine, str));
    if (str->type != FST_STR || (str->size > 0 && memchr(str->text, '&', str->size) != NULL))
        return FST_GIVE_BACK;
    *to = *str;
    return FST_DONE;
}

#define FST_HTML_FUNCTIONS(X) \
    X("html.escape", "s,quote?", fst_html_escape) \
    X("html.unescape", "s", fst_html_unescape)

#endif
