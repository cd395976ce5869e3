"""Builds the extension; pyproject.toml cannot declare its include directory."""

from setuptools import Extension, setup

import forstcore

setup(
    ext_modules=[
        Extension("forst_orders", ["forst_orders.pyx"], include_dirs=[forstcore.get_include()])
    ]
)
