/* str_methods.h: the functions on strings that programs can call. */
#ifndef FST_VM_STR_METHODS_H
#define FST_VM_STR_METHODS_H

#include "str_build.h"
#include "str_kinds.h"
#include "str_search.h"
#include "str_split.h"
#include "text_builder.h"

/* ---------------------------------------------------------------- methods of lists, too */

FST_NOINLINE fst_status
fst_count_method(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (arguments[0].type == FST_STR)
        return fst_str_count(machine, to, arguments);
    if (arguments[2].type != FST_UNSET)
        return FST_GIVE_BACK;
    return fst_list_count(machine, to, arguments);
}

FST_NOINLINE fst_status
fst_index_method(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (arguments[0].type == FST_STR)
        return fst_str_index(machine, to, arguments);
    return fst_list_index(machine, to, arguments);
}

/* ---------------------------------------------------------------- translate */

/* self, table: a dict of code points, and of None, code points or str for each. */
FST_NOINLINE fst_status
fst_str_translate(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *self = &arguments[0];
    fst_builder builder = fst_begin_text(machine);
    const char *at, *end;
    FST_TRY(fst_settle_self(machine, self));
    if (arguments[1].type != FST_DICT)
        return FST_GIVE_BACK;
    at = self->text;
    for (end = at + self->size; at < end; at += fst_character_size(*at)) {
        fst_cell point = fst_int(fst_code_point_at(at)), *other;
        char character[4];
        FST_TRY(fst_dict_get(machine, (const fst_dict *)arguments[1].object, &point, &other));
        if (other == NULL) {
            if (fst_is_special_dict(&arguments[1]))
                return FST_GIVE_BACK;
            FST_TRY(fst_put_text(
                &builder, at, fst_character_size(*at), self->flags));
        } else if (other->type == FST_STR) {
            FST_TRY(fst_put_cell(&builder, other));
        } else if (other->type == FST_INT && fst_is_character(other->integer)) {
            const char *last = fst_write_character(character, (uint32_t)other->integer);
            FST_TRY(fst_put_text(&builder, character, (size_t)(last - character), 0));
        } else if (other->type != FST_NONE) {
            return FST_GIVE_BACK;
        }
    }
    *to = fst_end_text(&builder);
    return FST_DONE;
}

/* ---------------------------------------------------------------- ord and chr */

FST_NOINLINE fst_status
fst_ord(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_text(machine, &arguments[0]));
    if (fst_str_length(&arguments[0]) != 1)
        return FST_TYPE_ERROR;
    *to = fst_int(fst_code_point_at(arguments[0].text));
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_chr(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int64_t point;
    char *text;
    FST_TRY(fst_settle_count(machine, &arguments[0], 0, &point));
    if (point < 0 || point > 0x10ffff)
        return point < INT32_MIN || point > INT32_MAX ? FST_GIVE_BACK : FST_VALUE_ERROR;
    if (!fst_is_character(point))
        return FST_GIVE_BACK;
    FST_TRY(fst_take_text(machine, 4, &text));
    *to = fst_str(
        text, (size_t)(fst_write_character(text, (uint32_t)point) - text),
        point < 0x80 ? FST_ASCII : FST_WIDE | FST_CLEAN);
    return FST_DONE;
}

/* ---------------------------------------------------------------- the table */

/* unicodedata.normalize(form, text), which changes nothing in ASCII. */
FST_NOINLINE fst_status
fst_normalize(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};
    int i;
    FST_TRY(fst_settle_text(machine, &arguments[0]));
    FST_TRY(fst_settle_text(machine, &arguments[1]));
    if (!fst_is_ascii(&arguments[1]))
        return FST_GIVE_BACK;
    for (i = 0; i < 4; i++)
        if (arguments[0].size == strlen(forms[i])
            && memcmp(arguments[0].text, forms[i], arguments[0].size) == 0) {
            *to = arguments[1];
            return FST_DONE;
        }
    return FST_GIVE_BACK;
}

/* unicodedata.combining(character), which is 0 in ASCII. */
FST_NOINLINE fst_status
fst_combining(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    FST_TRY(fst_settle_text(machine, &arguments[0]));
    if (arguments[0].size != 1)
        return FST_GIVE_BACK;
    *to = fst_int(0);
    return FST_DONE;
}

#define FST_STRING_FUNCTIONS(X) \
    X("unicodedata.normalize", "form/,unistr/", fst_normalize) \
    X("unicodedata.combining", "chr/", fst_combining) \
    X(".lower", "self", fst_str_lower) \
    X(".upper", "self", fst_str_upper) \
    X(".title", "self", fst_str_title) \
    X(".capitalize", "self", fst_str_capitalize) \
    X(".swapcase", "self", fst_str_swapcase) \
    X(".casefold", "self", fst_str_casefold) \
    X(".isdigit", "self", fst_str_isdigit) \
    X(".isdecimal", "self", fst_str_isdigit) \
    X(".isnumeric", "self", fst_str_isnumeric) \
    X(".isalpha", "self", fst_str_isalpha) \
    X(".isalnum", "self", fst_str_isalnum) \
    X(".isspace", "self", fst_str_isspace) \
    X(".isupper", "self", fst_str_isupper) \
    X(".islower", "self", fst_str_islower) \
    X(".isascii", "self", fst_str_isascii) \
    X(".isprintable", "self", fst_str_isprintable) \
    X(".isidentifier", "self", fst_str_isidentifier) \
    X(".strip", "self,chars/?", fst_str_strip) \
    X(".lstrip", "self,chars/?", fst_str_lstrip) \
    X(".rstrip", "self,chars/?", fst_str_rstrip) \
    X(".split", "self,sep?,maxsplit?", fst_str_split) \
    X(".rsplit", "self,sep?,maxsplit?", fst_str_rsplit) \
    X(".splitlines", "self,keepends?", fst_str_splitlines) \
    X(".partition", "self,sep/", fst_str_partition) \
    X(".rpartition", "self,sep/", fst_str_rpartition) \
    X("<partition 0>", "self,sep/", fst_str_before_first) \
    X("<partition 2>", "self,sep/", fst_str_after_first) \
    X("<rpartition 0>", "self,sep/", fst_str_before_last) \
    X("<rpartition 2>", "self,sep/", fst_str_after_last) \
    X(".startswith", "self,prefix/,start/?,end/?", fst_str_startswith) \
    X(".endswith", "self,suffix/,start/?,end/?", fst_str_endswith) \
    X(".removeprefix", "self,prefix/", fst_str_removeprefix) \
    X(".removesuffix", "self,suffix/", fst_str_removesuffix) \
    X(".find", "self,sub/,start/?,end/?", fst_str_find) \
    X(".rfind", "self,sub/,start/?,end/?", fst_str_rfind) \
    X(".index", "self,value/,start/?,end/?", fst_index_method) \
    X(".rindex", "self,sub/,start/?,end/?", fst_str_rindex) \
    X(".count", "self,value/,start/?,end/?", fst_count_method) \
    X(".replace", "self,old/,new/,count/?", fst_str_replace) \
    X(".join", "self,iterable/", fst_str_join) \
    X(".ljust", "self,width/,fillchar/?", fst_str_ljust) \
    X(".rjust", "self,width/,fillchar/?", fst_str_rjust) \
    X(".center", "self,width/,fillchar/?", fst_str_center) \
    X(".zfill", "self,width/", fst_str_zfill) \
    X(".expandtabs", "self,tabsize?", fst_str_expandtabs) \
    X(".translate", "self,table/", fst_str_translate) \
    X("ord", "c/", fst_ord) \
    X("chr", "i/", fst_chr)

#endif
