"""The check of the PBX on demand: in the background, one at a time, within a time limit, and never a 500."""

import asyncio
from pathlib import Path

from adapters.accounts.model import Role
from adapters.asterisk.findings import Finding
from adapters.panel.admin.checks import PbxChecks
from telephony.errors import PbxRejectedError
from tests.adapters.panel.admin.desk import desk
from tests.telephony.fakes import FakeClock

PATH = "/v1/pbx-check"


async def test_what_it_finds_is_kept_with_who_and_when_the_worst_first(tmp_path: Path) -> None:
    """Started by a click, answered at once; its findings come with their remedies."""
    may_end = asyncio.Event()

    async def check() -> list[Finding]:
        await may_end.wait()
        return [Finding("unseen", "whether it is so"), Finding("error", "a module is missing", "Load it.")]

    async with desk(tmp_path, check=check) as d:
        admin = await d.of(Role.ADMIN)
        assert (await admin.get(PATH))[1]["state"] == "never"
        status, begun = await admin.send("POST", PATH)
        assert (status, begun["state"], begun["findings"]) == (202, "running", [])
        _, again = await admin.send("POST", PATH)
        assert again["began_at"] == begun["began_at"]
        may_end.set()
        await d.until(lambda: d.admin.pbx.runs.latest.ended_at)
        _, found = await admin.get(PATH)
        assert (found["state"], found["by"]) == ("done", "admin")
        assert [(f["severity"], f["remedy"]) for f in found["findings"]] == [("error", "Load it."), ("unseen", "")]
        assert len(d.said("pbx_checked")) == 1
        page = await admin.page("/panel/admin/pbx-check")
        assert "a module is missing" in page
        assert "Load it." in page


async def test_a_check_that_hangs_is_stopped_and_says_so() -> None:
    """The time limit ends it, and the next one can begin."""
    pbx = PbxChecks(FakeClock(), asyncio.Event().wait, limit_s=0.01)  # type: ignore[arg-type] # it never returns
    assert pbx.check is not None
    assert pbx.runs.start("olga", pbx.check)
    async with asyncio.timeout(5):
        while pbx.runs.latest.ended_at is None:  # noqa: ASYNC110 -- it signals nobody
            await asyncio.sleep(0.001)
    assert (pbx.runs.latest.state, pbx.runs.latest.why) == ("late", "stopped after 0.01 s")
    assert pbx.runs.start("olga", pbx.check)
    await pbx.runs.close()


async def test_a_check_that_fails_says_what_went_wrong(tmp_path: Path) -> None:
    """It is a result like any other; the screen says it, and a next check begins anew."""

    async def check() -> list[Finding]:
        raise PbxRejectedError("Login", "Authentication failed")

    async with desk(tmp_path, check=check) as d:
        admin = await d.of(Role.ADMIN)
        await admin.send("POST", PATH)
        await d.until(lambda: d.admin.pbx.runs.latest.ended_at)
        _, found = await admin.get(PATH)
        assert (found["state"], found["why"]) == ("failed", "Login: Authentication failed")
        assert "Authentication failed" in await admin.page("/panel/admin/pbx-check")


async def test_the_simulator_cannot_be_checked(tmp_path: Path) -> None:
    """Said as such, not as a fault of the PBX."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        status, refused = await admin.send("POST", PATH)
        assert (status, refused["type"]) == (409, "urn:bagvagt:problem:no-pbx")
        assert (await admin.get(PATH))[1]["possible"] is False
