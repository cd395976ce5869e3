"""Fixtures shared by the tests of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.requests import TOKEN


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    """A file with the token of the tests."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return str(path)
