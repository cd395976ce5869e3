"""The corpus as processors, for server and command line."""

from __future__ import annotations

import forstcore
from tests.compiled.corpus import CASES

for case in CASES:
    forstcore.processor(case.name)(case.function)
