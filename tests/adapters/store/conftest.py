"""A store in a new folder."""

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is going to be."""
    return tmp_path / "journal.db"


@pytest.fixture
def url(path: Path) -> str:
    """Its address."""
    return f"sqlite:///{path}"
