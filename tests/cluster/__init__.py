"""Tests of datasets on a Dask cluster."""
