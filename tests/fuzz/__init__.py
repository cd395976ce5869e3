"""The fuzz targets, run as ordinary tests."""
