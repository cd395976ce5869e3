/* digests.h: hashlib's md5, sha1, sha2 and blake2b, and hmac. */
#ifndef FST_VM_DIGESTS_H
#define FST_VM_DIGESTS_H

#include "bytes.h"
#include "digest_blocks.h"

enum {
    FST_DIGEST_BLOCK = 128,     /* bytes of the longest block */
    FST_DIGEST_MOST = 64,       /* bytes of the longest digest */
    FST_DIGESTED_BYTES = 8      /* that cost as much as an instruction */
};

typedef enum fst_algorithm {
    FST_MD5,
    FST_SHA1,
    FST_SHA224,
    FST_SHA256,
    FST_SHA384,
    FST_SHA512,
    FST_BLAKE2B,
    FST_ALGORITHM_COUNT
} fst_algorithm;

/* The result of hashlib.sha256() and the others. */
typedef struct fst_digest {
    fst_algorithm algorithm;
    uint32_t size;              /* of the digest, in bytes */
    uint32_t filled;            /* bytes of `block` */
    uint64_t count;             /* bytes that have been processed, with those of `block` */
    uint64_t state[8];
    uint8_t block[FST_DIGEST_BLOCK];
    struct fst_digest *outer;   /* of hmac: the outer hash, of the digest of this one */
} fst_digest;

static const struct {
    const char *name;
    uint32_t size;
    uint32_t block;
} FST_ALGORITHMS[FST_ALGORITHM_COUNT] = {
    {"md5", 16, 64},     {"sha1", 20, 64},     {"sha224", 28, 64},   {"sha256", 32, 64},
    {"sha384", 48, 128}, {"sha512", 64, 128}, {"blake2b", 64, 128},
};

/* ---------------------------------------------------------------- the algorithms */

FST_NOINLINE void
fst_begin_digest(fst_digest *digest, fst_algorithm algorithm, uint32_t size)
{
    static const uint32_t old[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    static const uint64_t sha384[8] = {
        UINT64_C(0xcbbb9d5dc1059ed8), UINT64_C(0x629a292a367cd507), UINT64_C(0x9159015a3070dd17),
        UINT64_C(0x152fecd8f70e5939), UINT64_C(0x67332667ffc00b31), UINT64_C(0x8eb44a8768581511),
        UINT64_C(0xdb0c2e0d64f98fa7), UINT64_C(0x47b5481dbefa4fa4),
    };
    int i;
    memset(digest, 0, sizeof *digest);
    digest->algorithm = algorithm;
    digest->size = size;
    for (i = 0; i < 8; i++) {
        if (algorithm <= FST_SHA1)
            digest->state[i] = i < 5 ? old[i] : 0;
        else if (algorithm == FST_SHA224)
            digest->state[i] = (uint32_t)sha384[i];
        else if (algorithm == FST_SHA256)
            digest->state[i] = FST_SHA512_START[i] >> 32;
        else if (algorithm == FST_SHA384)
            digest->state[i] = sha384[i];
        else
            digest->state[i] = FST_SHA512_START[i];
    }
    if (algorithm == FST_BLAKE2B)
        digest->state[0] ^= UINT64_C(0x01010000) ^ size;
}

FST_NOINLINE void
fst_digest_block(fst_digest *digest, const uint8_t *block, int last)
{
    switch (digest->algorithm) {
    case FST_MD5:
        fst_md5_block(digest->state, block);
        break;
    case FST_SHA1:
        fst_sha1_block(digest->state, block);
        break;
    case FST_SHA224:
    case FST_SHA256:
        fst_sha256_block(digest->state, block);
        break;
    case FST_SHA384:
    case FST_SHA512:
        fst_sha512_block(digest->state, block);
        break;
    default:
        fst_blake2_block(digest->state, block, digest->count, last);
        break;
    }
}

FST_NOINLINE void
fst_digest_bytes(fst_digest *digest, const char *bytes, size_t size)
{
    const uint32_t room = FST_ALGORITHMS[digest->algorithm].block;
    while (size > 0) {
        size_t part;
        /* A full block is kept until more data follow, because BLAKE2 treats the last block
         * differently. */
        if (digest->filled == room) {
            fst_digest_block(digest, digest->block, 0);
            digest->filled = 0;
        }
        part = room - digest->filled;
        if (part > size)
            part = size;
        memcpy(digest->block + digest->filled, bytes, part);
        digest->filled += (uint32_t)part;
        digest->count += part;
        bytes += part;
        size -= part;
    }
}

/* Pads the last block: a bit follows the message, and its length in bits ends the block. */
FST_NOINLINE void
fst_end_message(fst_digest *digest)
{
    const uint32_t room = FST_ALGORITHMS[digest->algorithm].block, size_room = room / 8;
    const uint64_t bits = digest->count * 8;
    uint32_t i;
    if (digest->filled == room) {
        fst_digest_block(digest, digest->block, 0);
        digest->filled = 0;
    }
    digest->block[digest->filled++] = 0x80;
    memset(digest->block + digest->filled, 0, room - digest->filled);
    if (digest->filled > room - size_room) {
        fst_digest_block(digest, digest->block, 0);
        memset(digest->block, 0, room);
    }
    for (i = 0; i < 8; i++) {
        const uint32_t place = digest->algorithm == FST_MD5 ? room - 8 + i : room - 1 - i;
        digest->block[place] = (uint8_t)(bits >> 8 * i);
    }
    fst_digest_block(digest, digest->block, 1);
}

/* Writes the digest of the data so far; more may be added afterwards. */
FST_NOINLINE void
fst_write_digest(const fst_digest *so_far, uint8_t *to)
{
    fst_digest digest = *so_far;
    uint32_t i;
    if (digest.algorithm == FST_BLAKE2B) {
        memset(digest.block + digest.filled, 0, FST_DIGEST_BLOCK - digest.filled);
        fst_digest_block(&digest, digest.block, 1);
    } else {
        fst_end_message(&digest);
    }
    for (i = 0; i < digest.size; i++) {
        const int is_long = digest.algorithm >= FST_SHA384;
        const uint64_t word = digest.state[is_long ? i / 8 : i / 4];
        const uint32_t byte = is_long ? i % 8 : i % 4;
        const int from_low = digest.algorithm == FST_MD5 || digest.algorithm == FST_BLAKE2B;
        to[i] = (uint8_t)(word >> 8 * (from_low ? byte : (is_long ? 7 : 3) - byte));
    }
    if (digest.outer != NULL) {
        fst_digest outer = *digest.outer;
        fst_digest_bytes(&outer, (const char *)to, digest.size);
        fst_write_digest(&outer, to);
    }
}

/* ---------------------------------------------------------------- hashlib */

/* Adds bytes; a str is a TypeError. */
FST_NOINLINE fst_status
fst_digest_add(fst_machine *machine, fst_digest *digest, fst_cell *data)
{
    if (data->type == FST_UNSET)
        return FST_DONE;
    FST_TRY(fst_require_bytes(machine, data));
    machine->fuel -= data->size / FST_DIGESTED_BYTES;
    if (machine->fuel < 0)
        return FST_GIVE_BACK;
    fst_digest_bytes(digest, data->text, data->size);
    return FST_DONE;
}

FST_NOINLINE fst_status
fst_new_digest(
    fst_machine *machine, fst_cell *to, fst_algorithm algorithm, uint32_t size, fst_cell *data)
{
    fst_digest *digest = (fst_digest *)fst_take(machine, sizeof *digest);
    if (digest == NULL)
        return FST_NO_MEMORY;
    fst_begin_digest(digest, algorithm, size);
    FST_TRY(fst_digest_add(machine, digest, data));
    *to = fst_object(FST_DIGEST, digest);
    return FST_DONE;
}

/* data?, *, usedforsecurity? */
#define FST_DIGEST_FUNCTION(name, algorithm, size) \
    FST_NOINLINE fst_status \
    fst_digest_##name(fst_machine *machine, fst_cell *to, fst_cell *arguments) \
    { \
        return fst_new_digest(machine, to, algorithm, size, &arguments[0]); \
    }
FST_DIGEST_FUNCTION(md5, FST_MD5, 16)
FST_DIGEST_FUNCTION(sha1, FST_SHA1, 20)
FST_DIGEST_FUNCTION(sha224, FST_SHA224, 28)
FST_DIGEST_FUNCTION(sha256, FST_SHA256, 32)
FST_DIGEST_FUNCTION(sha384, FST_SHA384, 48)
FST_DIGEST_FUNCTION(sha512, FST_SHA512, 64)
#undef FST_DIGEST_FUNCTION

/* blake2b(data?, *, digest_size?, key?) */
FST_NOINLINE fst_status
fst_digest_blake2b(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const uint8_t padding[FST_DIGEST_BLOCK] = {0};
    const fst_cell *key = &arguments[2];
    fst_digest *digest;
    int64_t size;
    FST_TRY(fst_settle_count(machine, &arguments[1], FST_DIGEST_MOST, &size));
    if (size < 1 || size > FST_DIGEST_MOST)
        return FST_VALUE_ERROR;
    if (key->type == FST_UNSET || (key->type == FST_BYTES && key->size == 0))
        return fst_new_digest(machine, to, FST_BLAKE2B, (uint32_t)size, &arguments[0]);
    if (key->type != FST_BYTES || key->size > FST_DIGEST_MOST)
        return FST_GIVE_BACK;
    digest = (fst_digest *)fst_take(machine, sizeof *digest);
    if (digest == NULL)
        return FST_NO_MEMORY;
    fst_begin_digest(digest, FST_BLAKE2B, (uint32_t)size);
    digest->state[0] ^= (uint64_t)key->size << 8;
    fst_digest_bytes(digest, key->text, key->size);
    fst_digest_bytes(digest, (const char *)padding, FST_DIGEST_BLOCK - key->size);
    FST_TRY(fst_digest_add(machine, digest, &arguments[0]));
    *to = fst_object(FST_DIGEST, digest);
    return FST_DONE;
}

/* Finds an algorithm by the name that hashlib has for it. */
FST_NOINLINE fst_status
fst_find_algorithm(fst_machine *machine, fst_cell *name, int *algorithm)
{
    FST_TRY(fst_settle_text(machine, name));
    for (*algorithm = 0; *algorithm < FST_ALGORITHM_COUNT; ++*algorithm)
        if (fst_is_called(name, FST_ALGORITHMS[*algorithm].name))
            return FST_DONE;
    return FST_GIVE_BACK;
}

/* hashlib.new(name, data?, *, usedforsecurity?) */
FST_NOINLINE fst_status
fst_digest_by_name(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    int algorithm;
    FST_TRY(fst_find_algorithm(machine, &arguments[0], &algorithm));
    return fst_new_digest(
        machine, to, (fst_algorithm)algorithm, FST_ALGORITHMS[algorithm].size, &arguments[1]);
}

/* hmac.new(key, msg, digestmod), where digestmod is the name of an algorithm */
FST_NOINLINE fst_status
fst_hmac_new(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_digest *inner, *outer;
    uint8_t key[FST_DIGEST_BLOCK] = {0};
    uint32_t block, i;
    int algorithm;
    FST_TRY(fst_find_algorithm(machine, &arguments[2], &algorithm));
    if (algorithm == FST_BLAKE2B)
        return FST_GIVE_BACK;
    FST_TRY(fst_require_bytes(machine, &arguments[0]));
    inner = (fst_digest *)fst_take(machine, 2 * sizeof *inner);
    if (inner == NULL)
        return FST_NO_MEMORY;
    outer = inner + 1;
    block = FST_ALGORITHMS[algorithm].block;
    fst_begin_digest(inner, (fst_algorithm)algorithm, FST_ALGORITHMS[algorithm].size);
    *outer = *inner;
    if (arguments[0].size > block) {
        FST_TRY(fst_digest_add(machine, inner, &arguments[0]));
        fst_write_digest(inner, key);
        *inner = *outer;
    } else {
        memcpy(key, arguments[0].text, arguments[0].size);
    }
    for (i = 0; i < block; i++)
        key[i] ^= 0x36;
    fst_digest_bytes(inner, (const char *)key, block);
    for (i = 0; i < block; i++)
        key[i] ^= 0x36 ^ 0x5c;
    fst_digest_bytes(outer, (const char *)key, block);
    inner->outer = outer;
    if (arguments[1].type != FST_NONE)
        FST_TRY(fst_digest_add(machine, inner, &arguments[1]));
    *to = fst_object(FST_DIGEST, inner);
    return FST_DONE;
}

/* ---------------------------------------------------------------- methods */

/* hash.digest() */
FST_NOINLINE fst_status
fst_digest_digest(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    char *bytes;
    if (arguments[0].type != FST_DIGEST)
        return fst_no_method(&arguments[0]);
    FST_TRY(fst_take_text(machine, FST_DIGEST_MOST, &bytes));
    fst_write_digest((const fst_digest *)arguments[0].object, (uint8_t *)bytes);
    *to = fst_byte_string(bytes, ((const fst_digest *)arguments[0].object)->size, 0);
    return FST_DONE;
}

/* hash.hexdigest() */
FST_NOINLINE fst_status
fst_digest_hexdigest(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    uint8_t bytes[FST_DIGEST_MOST];
    const fst_digest *digest = (const fst_digest *)arguments[0].object;
    if (arguments[0].type != FST_DIGEST)
        return fst_no_method(&arguments[0]);
    fst_write_digest(digest, bytes);
    return fst_hexadecimal(machine, to, (const char *)bytes, digest->size);
}

/* hash.update(data); also a method of dicts and sets: see containers.h. */
FST_NOINLINE fst_status
fst_digest_update(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    if (arguments[1].type == FST_UNSET || arguments[2].type != FST_UNSET)
        return FST_TYPE_ERROR;
    *to = fst_none();
    return fst_digest_add(machine, (fst_digest *)arguments[0].object, &arguments[1]);
}

/* ---------------------------------------------------------------- uuid */

/* Writes 32 hexadecimal digits as those of a UUID. */
FST_INLINE fst_status
fst_write_uuid(fst_machine *machine, fst_cell *to, const char *digits)
{
    char *text;
    int i;
    FST_TRY(fst_take_text(machine, 36, &text));
    *to = fst_str(text, 36, FST_ASCII | FST_CLEAN);
    for (i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *text++ = '-';
        *text++ = digits[i];
    }
    return FST_DONE;
}

/* str(uuid.uuid5(namespace, name)), of the bytes of a namespace */
FST_NOINLINE fst_status
fst_uuid5_text(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_digest digest;
    uint8_t bytes[FST_DIGEST_MOST];
    fst_cell digits, name;
    FST_TRY(fst_settle_text(machine, &arguments[1]));
    fst_begin_digest(&digest, FST_SHA1, 20);
    fst_digest_bytes(&digest, arguments[0].text, arguments[0].size);
    name = arguments[1];
    name.type = FST_BYTES;
    FST_TRY(fst_digest_add(machine, &digest, &name));
    fst_write_digest(&digest, bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x50);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    FST_TRY(fst_hexadecimal(machine, &digits, (const char *)bytes, 16));
    return fst_write_uuid(machine, to, digits.text);
}

/* str(uuid.UUID(text)), of text that is digits, with hyphens and braces */
FST_NOINLINE fst_status
fst_uuid_text(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    const fst_cell *text = &arguments[0];
    const char *at, *end;
    char digits[32];
    int count = 0, other = 0;
    FST_TRY(fst_settle(machine, &arguments[0]));
    if (text->type != FST_STR || !fst_is_ascii(&arguments[0]))
        return FST_GIVE_BACK;
    at = text->text;
    end = at + text->size;
    while (at < end && (*at == '{' || *at == '}'))
        at++;
    while (at < end && (end[-1] == '{' || end[-1] == '}'))
        end--;
    for (; at < end; at++) {
        if (*at == '-')
            continue;
        /* int() also takes 0x, signs, spaces and underscores; "urn:uuid:" is removed. */
        if (strchr(":_+", *at) != NULL || fst_is_number_space(*at)
            || (count == 1 && (*at | 0x20) == 'x'))
            return FST_GIVE_BACK;
        other |= fst_digit_of(*at) > 15;
        if (count < 32)
            digits[count] = (char)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
        count++;
    }
    return count != 32 || other ? FST_VALUE_ERROR : fst_write_uuid(machine, to, digits);
}

/* ---------------------------------------------------------------- comparison */

/* hmac.compare_digest(a, b) */
FST_NOINLINE fst_status
fst_compare_digest(fst_machine *machine, fst_cell *to, fst_cell *arguments)
{
    fst_cell *a = &arguments[0], *b = &arguments[1];
    FST_TRY(fst_settle(machine, a));
    FST_TRY(fst_settle(machine, b));
    if (a->type == FST_STR && b->type == FST_STR) {
        if (!fst_is_ascii(a) || !fst_is_ascii(b))
            return FST_TYPE_ERROR;
    } else if (a->type != FST_BYTES || b->type != FST_BYTES) {
        return FST_GIVE_BACK;
    }
    *to = fst_bool(a->size == b->size && memcmp(a->text, b->text, a->size) == 0);
    return FST_DONE;
}

/* The same functions, by the modules that they are in with OpenSSL, and without it. */
#define FST_DIGEST_FUNCTIONS(X) \
    X("_hashlib.openssl_md5", "data/?,*,usedforsecurity?", fst_digest_md5) \
    X("_hashlib.openssl_sha1", "data/?,*,usedforsecurity?", fst_digest_sha1) \
    X("_hashlib.openssl_sha224", "data/?,*,usedforsecurity?", fst_digest_sha224) \
    X("_hashlib.openssl_sha256", "data/?,*,usedforsecurity?", fst_digest_sha256) \
    X("_hashlib.openssl_sha384", "data/?,*,usedforsecurity?", fst_digest_sha384) \
    X("_hashlib.openssl_sha512", "data/?,*,usedforsecurity?", fst_digest_sha512) \
    X("_md5.md5", "data/?,*,usedforsecurity?", fst_digest_md5) \
    X("_sha1.sha1", "data/?,*,usedforsecurity?", fst_digest_sha1) \
    X("_sha256.sha256", "data/?,*,usedforsecurity?", fst_digest_sha256) \
    X("_sha512.sha512", "data/?,*,usedforsecurity?", fst_digest_sha512) \
    X("_sha2.sha256", "data/?,*,usedforsecurity?", fst_digest_sha256) \
    X("_sha2.sha512", "data/?,*,usedforsecurity?", fst_digest_sha512) \
    X("_blake2.blake2b", "data/?,*,digest_size?,key?", fst_digest_blake2b) \
    X("hashlib.__hash_new", "name,data/?,*,usedforsecurity?", fst_digest_by_name) \
    X("hashlib.new", "name,data/?,*,usedforsecurity?", fst_digest_by_name) \
    X("hmac.new", "key,msg,digestmod", fst_hmac_new) \
    X(".digest", "self", fst_digest_digest) \
    X(".hexdigest", "self", fst_digest_hexdigest) \
    X("<text of uuid5>", "namespace,name", fst_uuid5_text) \
    X("<text of uuid>", "hex", fst_uuid_text) \
    X("_hashlib.compare_digest", "a/,b/", fst_compare_digest) \
    X("_operator._compare_digest", "a/,b/", fst_compare_digest)

#endif
