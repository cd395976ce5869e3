/* functions.h: the functions that programs can call. */
#ifndef FST_VM_FUNCTIONS_H
#define FST_VM_FUNCTIONS_H

#include "addresses.h"
#include "base64.h"
#include "checksums.h"
#include "clocks.h"
#include "digests.h"
#include "html_text.h"
#include "instances.h"
#include "itertools.h"
#include "json_read.h"
#include "json_text.h"
#include "mathematics.h"
#include "replacements.h"
#include "run_program.h"
#include "spread.h"
#include "statistics.h"
#include "url_parts.h"
#include "url_text.h"

static const fst_function FST_FUNCTIONS[] = {
#define FST_FUNCTION(name, parameters, call) {name, parameters, call},
    FST_STRING_FUNCTIONS(FST_FUNCTION)
    FST_FORMAT_FUNCTIONS(FST_FUNCTION)
    FST_NUMBER_FUNCTIONS(FST_FUNCTION)
    FST_DECIMAL_FUNCTIONS(FST_FUNCTION)
    FST_MATH_FUNCTIONS(FST_FUNCTION)
    FST_DATE_FUNCTIONS(FST_FUNCTION)
    FST_CLOCK_FUNCTIONS(FST_FUNCTION)
    FST_PATTERN_FUNCTIONS(FST_FUNCTION)
    FST_CONTAINER_FUNCTIONS(FST_FUNCTION)
    FST_DEQUE_FUNCTIONS(FST_FUNCTION)
    FST_ITERTOOLS_FUNCTIONS(FST_FUNCTION)
    FST_COUNTING_FUNCTIONS(FST_FUNCTION)
    FST_STATISTICS_FUNCTIONS(FST_FUNCTION)
    FST_ADDRESS_FUNCTIONS(FST_FUNCTION)
    FST_SPREAD_FUNCTIONS(FST_FUNCTION)
    FST_BYTES_FUNCTIONS(FST_FUNCTION)
    FST_DIGEST_FUNCTIONS(FST_FUNCTION)
    FST_CHECKSUM_FUNCTIONS(FST_FUNCTION)
    FST_BASE64_FUNCTIONS(FST_FUNCTION)
    FST_JSON_READ_FUNCTIONS(FST_FUNCTION)
    FST_JSON_TEXT_FUNCTIONS(FST_FUNCTION)
    FST_URL_PART_FUNCTIONS(FST_FUNCTION)
    FST_URL_TEXT_FUNCTIONS(FST_FUNCTION)
    FST_HTML_FUNCTIONS(FST_FUNCTION)
    FST_INSTANCE_FUNCTIONS(FST_FUNCTION)
#undef FST_FUNCTION
};

enum { FST_FUNCTION_COUNT = sizeof FST_FUNCTIONS / sizeof FST_FUNCTIONS[0] };

#endif
