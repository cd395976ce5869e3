"""Tests of the npm package: its own tests, and projects that install it."""
