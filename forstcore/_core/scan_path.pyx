# The choice between the implementations of the vector scan; see scan.h.

from forstcore._core.scan cimport (
    FST_AVX2,
    FST_AVX512,
    FST_BASE,
    FST_BASE_NAME,
    FST_PORTABLE,
    fst_best_path,
)

current_path = fst_best_path()

cdef const char *PATH_NAMES[4]
PATH_NAMES[<int>FST_PORTABLE] = "portable"
PATH_NAMES[<int>FST_BASE] = FST_BASE_NAME
PATH_NAMES[<int>FST_AVX2] = "avx2"
PATH_NAMES[<int>FST_AVX512] = "avx512"


def scan_paths():
    """Name the scan paths that this CPU can run, the fastest first.

    Returns:
        A tuple of names that ends with ``"portable"``.
    """
    return tuple([PATH_NAMES[path].decode() for path in range(fst_best_path(), -1, -1)])


def scan_path():
    """Name the scan path in use."""
    return PATH_NAMES[current_path].decode()


def use_scan_path(name, /):
    """Use another scan path, for tests and benchmarks. Every path gives the same bytes.

    Args:
        name: one of `scan_paths()`.

    Raises:
        ValueError: this CPU has no such path.

    Thread-safety: affects the whole process, from each object's next call on.
    """
    global current_path
    paths = scan_paths()
    if name not in paths:
        raise ValueError(f"scan path must be one of {', '.join(paths)}, not {name!r}")
    current_path = len(paths) - 1 - paths.index(name)
