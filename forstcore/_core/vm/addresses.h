/* addresses.h: addresses and networks of IPv4, of the module ipaddress; those of IPv6 are given back.
 *
 * The integer of a cell is the address, or the first one of the network; `size` is the length of the
 * prefix of a network. Networks are constants. */
#ifndef FST_VM_ADDRESSES_H
#define FST_VM_ADDRESSES_H

#include "text_builder.h"

enum { FST_ADDRESS_ROOM = 24 };      /* eight bytes are written for the last number */

/* A constant: the address in the higher bits, in the lowest eight the prefix, or 255 for none. */
FST_INLINE fst_cell
fst_address_of_number(int64_t number)
{
    fst_cell cell = fst_int(number >> 8);
    cell.size = (uint32_t)(number & 255);
    cell.type = cell.size > 32 ? FST_ADDRESS : FST_NETWORK;
    return cell;
}

/* Reads four numbers of up to 255 without leading zeros; returns whether that is all. */
FST_NOINLINE int
fst_read_address(const char *at, const char *end, int64_t *address)
{
    int part;
    *address = 0;
    for (part = 0; part < 4; part++) {
        const char *start = at;
        int number = 0;
        if (part > 0 && (at == end || *at++ != '.'))
            return 0;
        for (start = at; at < end && at - start < 3 && *at >= '0' && *at <= '9'; at++)
            number = 10 * number + (*at - '0');
        if (at == start || number > 255 || (*start == '0' && at - start > 1))
            return 0;
        *address = *address << 8 | number;
    }
    return at == end;
}

FST_INLINE fst_status
fst_make_address(fst_machine *machine, fst_cell *to, fst_cell *text, int may_be_wide)
{
    int64_t address;
    FST_TRY(fst_settle(machine, text));
    if (text->type != FST_STR)
        return FST_GIVE_BACK;
    if (!fst_read_address(text->text, text->text + text->size, &address))
        return may_be_wide && memchr(text->text, ':', text->size) != NULL ? FST_GIVE_BACK
                                                                          : FST_VALUE_ERROR;
    *to = fst_int(address);
    to->type = FST_ADDRESS;
    return FST_DONE;
}

/* ipaddress.ip_address(text) */
FST_NOINLINE fst_status
fst_ip_address(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_make_address(machine, to, &arguments[0], 1);
}

/* ipaddress.IPv4Address(text) */
FST_NOINLINE fst_status
fst_ipv4_address(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    return fst_make_address(machine, to, &arguments[0], 0);
}

FST_NOINLINE fst_status
fst_address_text(fst_machine *machine, fst_cell *to, const fst_cell *address)
{
    char *text = (char *)fst_take(machine, FST_ADDRESS_ROOM), *at = text;
    int shift;
    if (text == NULL)
        return FST_NO_MEMORY;
    for (shift = 24; shift >= 0; shift -= 8) {
        at = fst_write_integer(at, address->integer >> shift & 255);
        *at++ = '.';
    }
    *to = fst_str(text, (size_t)(at - 1 - text), FST_ASCII | FST_CLEAN);
    return FST_DONE;
}

FST_INLINE int
fst_is_in_network(const fst_cell *network, const fst_cell *address)
{
    return (uint64_t)(network->integer ^ address->integer) >> (32 - network->size) == 0;
}

FST_INLINE int
fst_is_in_networks(const fst_cell *networks, const fst_cell *address)
{
    const fst_list *list = (const fst_list *)networks->object;
    uint32_t i;
    for (i = 0; i < list->count; i++)
        if (fst_is_in_network(&list->items[i], address))
            return 1;
    return 0;
}

/* address.is_private and so on: whether it is in some networks, and not in others. */
FST_NOINLINE fst_status
fst_address_kind(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    if (arguments[0].type != FST_ADDRESS)
        return FST_GIVE_BACK;
    *to = fst_bool(fst_is_in_networks(&arguments[1], &arguments[0])
                   && !fst_is_in_networks(&arguments[2], &arguments[0]));
    return FST_DONE;
}

/* address.version */
FST_NOINLINE fst_status
fst_address_version(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    (void)machine;
    if (arguments[0].type != FST_ADDRESS)
        return FST_GIVE_BACK;
    *to = fst_int(4);
    return FST_DONE;
}

#define FST_ADDRESS_FUNCTIONS(X) \
    X("ipaddress.ip_address", "address", fst_ip_address) \
    X("ipaddress.IPv4Address", "address", fst_ipv4_address) \
    X("@version", "self", fst_address_version) \
    X("@is_private", "self,networks,exceptions", fst_address_kind) \
    X("@is_loopback", "self,networks,exceptions", fst_address_kind) \
    X("@is_link_local", "self,networks,exceptions", fst_address_kind) \
    X("@is_multicast", "self,networks,exceptions", fst_address_kind) \
    X("@is_reserved", "self,networks,exceptions", fst_address_kind)

#endif
