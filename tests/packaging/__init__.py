"""Tests of the installed wheel, outside the checkout."""
