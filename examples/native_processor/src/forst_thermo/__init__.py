"""Temperatures: `POST /thermo` with `python -m server --processors thermo`."""

import forstcore
from forst_thermo._thermo import capsule

thermo = forstcore.processor("thermo")(capsule)
