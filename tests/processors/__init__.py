"""Tests of processors: how they are declared, loaded and run, with a server and without."""
