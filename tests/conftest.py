"""Fixtures shared by all tests."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.lab import rootfs
from tests.lab.asterisk import Asterisk
from tests.lab.confs import Site

MakeAsterisk = Callable[..., Awaitable[Asterisk]]


def _lab() -> rootfs.Rootfs:
    """The lab; where it can't be had the test is skipped, and with CI=true it fails."""
    found = rootfs.find()
    if found.path is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(found.missing, pytrace=False)
        pytest.skip(found.missing)
    return found


@pytest.fixture
async def asterisk_lab() -> AsyncIterator[MakeAsterisk]:
    """Makes running Asterisks; the arguments are those of `Site`."""
    found = _lab()
    assert found.path is not None
    running: list[Asterisk] = []

    async def make(**site: object) -> Asterisk:
        assert found.path is not None
        instance = Asterisk(found.path, Site(**site))  # type: ignore[arg-type]  # checked by Site itself
        running.append(instance)
        return await instance.start()

    yield make
    for instance in running:
        await instance.close()


@pytest.fixture
async def asterisk(asterisk_lab: MakeAsterisk) -> Asterisk:
    """A running Asterisk with the default site."""
    return await asterisk_lab()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says once and loudly why the tests on a real PBX were left out."""
    found = rootfs.find.cache_info().currsize and rootfs.find()
    if found and found.path is None:
        terminalreporter.write_line(f"REAL-PBX TESTS NOT RUN: {found.missing}", red=True, bold=True)
