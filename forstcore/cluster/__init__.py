"""Process files on a Dask cluster, for data sets that are too large for one machine.

Requires ``pip install 'forstcore[dask]'`` here and on every worker.
"""

from __future__ import annotations

try:
    import distributed as _distributed  # noqa: F401
    import fsspec as _fsspec  # noqa: F401
except ImportError as error:
    raise ImportError(f"forstcore.cluster needs {error.name}: pip install 'forstcore[dask]'") from (
        error
    )

from forstcore.cluster._manifest import Manifest, Part
from forstcore.cluster.dataset import process_dataset

__all__ = ["Manifest", "Part", "process_dataset"]
