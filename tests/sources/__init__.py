"""Tests of sources, and of the streams that come from them."""
