/* checksums.h: zlib.crc32 and zlib.adler32. */
#ifndef FST_VM_CHECKSUMS_H
#define FST_VM_CHECKSUMS_H

#include "bytes.h"

enum { FST_CHECKED_BYTES = 8 };     /* that cost as much as an instruction */

/* zlib.crc32(data, value?) */
FST_NOINLINE fst_status
fst_crc32(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    int64_t value;
    uint32_t crc, i;
    FST_TRY(fst_require_bytes(machine, &arguments[0]));
    FST_TRY(fst_settle_count(machine, &arguments[1], 0, &value));
    machine->fuel -= arguments[0].size / FST_CHECKED_BYTES;
    crc = ~(uint32_t)(uint64_t)value;
    for (i = 0; i < arguments[0].size; i++) {
        crc ^= (unsigned char)arguments[0].text[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    *to = fst_int(~crc);
    return FST_DONE;
}

/* zlib.adler32(data, value?) */
FST_NOINLINE fst_status
fst_adler32(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    enum { PRIME = 65521 };
    int64_t value;
    uint32_t low, high, i;
    FST_TRY(fst_require_bytes(machine, &arguments[0]));
    FST_TRY(fst_settle_count(machine, &arguments[1], 1, &value));
    machine->fuel -= arguments[0].size / FST_CHECKED_BYTES;
    low = (uint32_t)((uint64_t)value & 0xffff);
    high = (uint32_t)((uint64_t)value >> 16 & 0xffff);
    if (low >= PRIME || high >= PRIME)
        return FST_GIVE_BACK;
    for (i = 0; i < arguments[0].size; i++) {
        low = (low + (unsigned char)arguments[0].text[i]) % PRIME;
        high = (high + low) % PRIME;
    }
    *to = fst_int((int64_t)high << 16 | low);
    return FST_DONE;
}

#define FST_CHECKSUM_FUNCTIONS(X) \
    X("zlib.crc32", "data/,value/?", fst_crc32) \
    X("binascii.crc32", "data/,value/?", fst_crc32) \
    X("zlib.adler32", "data/,value/?", fst_adler32)

#endif
