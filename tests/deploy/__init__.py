"""Tests of the files in deploy/, with real load balancers and real servers."""
