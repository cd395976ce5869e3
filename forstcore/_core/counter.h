/* Numbers that no two callers get, in any thread. */
#ifndef FORSTCORE_COUNTER_H
#define FORSTCORE_COUNTER_H

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

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

#endif
