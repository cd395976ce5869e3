"""Tests of the project itself: its layers and its documents."""
