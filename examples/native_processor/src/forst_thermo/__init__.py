"""Temperatures: `POST /thermo` with `forstcore serve --processors thermo`."""

import forstcore
from forst_thermo._thermo import capsule

thermo = forstcore.processor("thermo")(capsule)
