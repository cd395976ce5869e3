"""Temperatures: `POST /thermo` once this package is installed beside forstcore."""

import forstcore
from forst_thermo._thermo import capsule

thermo = forstcore.processor("thermo")(capsule)
