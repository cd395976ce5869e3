"""Failed requests in the log of a web server: a processor in a shared library.

`weblog.c` contains it. Wherever C code can be called from, it becomes a processor in this way.
"""

import ctypes
from pathlib import Path

import forstcore

# A capsule has pointers to these two, so both must live for as long as it is used.
_LIBRARY = ctypes.CDLL(str(Path(__file__).with_name("libweblog.so")))
_NAME = b"forstcore.processor"

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)

_ADDRESS = ctypes.addressof(ctypes.c_char.in_dll(_LIBRARY, "weblog"))
weblog = forstcore.processor("weblog")(_new_capsule(_ADDRESS, _NAME, None))
