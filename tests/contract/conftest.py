import importlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.world import World


@pytest.fixture(params=["simulator", pytest.param("asterisk", marks=pytest.mark.asterisk)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A small contact centre with the adapter under test connected to it."""
    module = importlib.import_module(f"tests.contract.{request.param}_world")
    async with module.open_world(tmp_path) as opened:
        yield opened
