"""The lease as whoever runs the service meets it: a second start, commands beside it, and the end of one fenced out."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.from_settings import store_url
from telephony.settings import load
from tests.lab.service import Service
from tests.lab.waiting import until

POLICY = """
    [site]
    name = "Test"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}
    tokens_file = "tokens.toml"
"""


@pytest.mark.timeout(240)  # several starts of the command
async def test_one_service_at_a_time_works_on_a_store(tmp_path: Path) -> None:
    """A second one ends with the reason; commands work; and one whose store was taken ends, and says so."""
    service = Service(tmp_path, POLICY)
    service.token("anna-screen", "agent", agent="anna")
    policy = str(service.policy_file)
    store = store_url(load(service.policy_file)).removeprefix("sqlite:///")
    await service.start()
    process = service._process
    assert process is not None
    try:
        said = await service.command("run", policy, expect=1)
        assert f"another Bagvagt works on this store; stop that one first (process {process.pid} on " in said
        assert "Traceback" not in said
        await service.command("account", "add", "anna", "-c", policy, "--role", "admin")
        assert "unbroken" in await service.command("audit", "verify", "-c", policy)
        assert await service.is_ready()
        with closing(sqlite3.connect(store)) as db, db:
            db.execute("UPDATE lease SET epoch = epoch + 1")
        await until(lambda: service.said("store_taken_over"), 30, "it learns that its store was taken")
        async with asyncio.timeout(30):
            assert await process.wait() == 1
    finally:
        await service.stop()
    assert "another Bagvagt has taken this store over" in service.said("store_taken_over")[0]["error"]
