/* Numbers and places that threads share without a lock. */
#ifndef FORSTCORE_SHARED_SLOTS_H
#define FORSTCORE_SHARED_SLOTS_H

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

/* A number that no other call returns, in any thread. */
static inline uint64_t fst_next_number(void)
{
#if defined(_MSC_VER)
    static volatile __int64 last;
    return (uint64_t)_InterlockedIncrement64(&last);
#else
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
#endif
}

/* Put a pointer into a slot; return the one that was there. */
static inline void *fst_exchange(void **slot, void *pointer)
{
#if defined(_MSC_VER)
    return _InterlockedExchangePointer(slot, pointer);
#else
    return __atomic_exchange_n(slot, pointer, __ATOMIC_ACQ_REL);
#endif
}

#endif
