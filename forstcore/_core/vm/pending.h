/* pending.h: stands in for files that do not exist yet. */
#ifndef FST_VM_PENDING_H
#define FST_VM_PENDING_H
#include "dicts.h"
#define FST_PENDING3(n) FST_INLINE fst_status n(fst_machine *m, fst_cell *t, fst_cell *a) { (void)m; (void)t; (void)a; return FST_GIVE_BACK; }
#define FST_PENDING4(n) FST_INLINE fst_status n(fst_machine *m, fst_cell *t, fst_cell *a, fst_cell *b) { (void)m; (void)t; (void)a; (void)b; return FST_GIVE_BACK; }
#include "str_methods.h"
#include "percent.h"
#include "numbers.h"
#include "mathematics.h"
#include "dates.h"
#include "replacements.h"
#include "containers.h"
#endif
