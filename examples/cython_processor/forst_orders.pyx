# cython: language_level=3
"""Orders: `POST /orders` with `forstcore serve --processors orders`.

{"id": "o-1", "items": [{"price": 2.5, "count": 3}, {"price": 4}]}  ->  {"id":"o-1","total":11.5}

An item without a count is one. An order in which an item has no price is refused.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport strlen

from forstcore.native cimport (
    FST_ABI,
    FST_CAPSULE,
    FST_OK,
    fst_end,
    fst_fail,
    fst_find_at,
    fst_get,
    fst_items,
    fst_iterate,
    fst_member,
    fst_next,
    fst_number,
    fst_output,
    fst_processor,
    fst_put,
    fst_put_number,
    fst_put_value,
    fst_record,
)

import forstcore


cdef inline void put(fst_output *out, const char *text) noexcept nogil:
    fst_put(out, text, strlen(text))


cdef int sum_up(void *state, const fst_record *record, fst_output *out) noexcept nogil:
    cdef fst_items items = fst_iterate(record, fst_find_at(record, b"items"))
    cdef fst_member item
    cdef double price
    cdef double count
    cdef double total = 0
    while fst_next(&items, &item):
        if not fst_number(fst_get(record, item.value, b"price", 5), &price):
            return fst_fail(out, b"an item has no price")
        if not fst_number(fst_get(record, item.value, b"count", 5), &count):
            count = 1
        total += price * count
    put(out, b'{"id":')
    fst_put_value(out, fst_find_at(record, b"id"))
    put(out, b',"total":')
    fst_put_number(out, total)
    put(out, b"}")
    fst_end(out)
    return FST_OK


cdef fst_processor PROCESSOR = fst_processor(
    abi=FST_ABI, size=sizeof(fst_processor), name=b"orders",
    create=NULL, destroy=NULL, process=sum_up)

orders = forstcore.processor("orders")(PyCapsule_New(&PROCESSOR, FST_CAPSULE, NULL))
