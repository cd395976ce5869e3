"""The tests of layers see every way to import."""

from __future__ import annotations

import pytest

from tests.project.source_imports import (
    cython_imports,
    included_headers,
    python_imports,
    typescript_imports,
)


@pytest.mark.parametrize(
    "code",
    [
        "import a.b",
        "import x, a.b as c",
        "from a import b",
        "from a import (\n    c,\n    b as d,\n)",
        "def f():\n    from a import b",
        "if TYPE_CHECKING:\n    import a.b",
        "runpy.run_module('a.b', run_name='__main__')",
        "run_module('a.b')",
        "importlib.import_module('a.b')",
        "__import__('a.b')",
        "subprocess.run([sys.executable, '-m', 'a.b', *arguments])",
    ],
)
def test_python(code: str) -> None:
    assert "a.b" in python_imports(code)


def test_a_relative_import_is_an_error() -> None:
    with pytest.raises(ValueError, match="relative import in line 2"):
        python_imports("import a\nfrom . import b")
    with pytest.raises(ValueError, match=r"relative import: from \.a cimport b"):
        cython_imports("from .a cimport b")


@pytest.mark.parametrize(
    "code",
    [
        "cimport a.b",
        "cimport x, a.b as c",
        "from a cimport b",
        "from a cimport c, b as d",
        "from a cimport (\n    c,  # why\n    b,\n)",
        "from a cimport c, \\\n    b",
        "cdef int f():\n    from a cimport b",
    ],
)
def test_cimports(code: str) -> None:
    imported, cimported = cython_imports(code)
    assert "a.b" in cimported
    assert not imported
    assert "a.b" in cython_imports(code.replace("cimport", "import"))[0]


def test_headers() -> None:
    assert included_headers('cdef extern from "a/b.h" nogil:\n    pass', is_c=False) == {"a/b.h"}
    assert included_headers('include "a.pxi"', is_c=False) == {"a.pxi"}
    assert included_headers('#include <stdint.h>\n#  include "b.h"\n', is_c=True) == {"b.h"}


@pytest.mark.parametrize(
    "code",
    [
        'import { x } from "./a-b.js";',
        'import type { X } from "./a-b.js";',
        'export * from "./a-b.js";',
        'import {\n  x,\n  y,\n} from "./a-b.js";',
        'import "./a-b.js";',
        'const x = await import("./a-b.js");',
    ],
)
def test_typescript(code: str) -> None:
    assert typescript_imports(code) == {"a-b"}
