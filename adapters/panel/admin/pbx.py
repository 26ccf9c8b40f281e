"""The check of the PBX, over the API. It changes nothing."""

from datetime import datetime
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel

from adapters.http.problems import problem
from adapters.panel.admin.checks import PbxChecks
from adapters.panel.admin.doors import ADMIN, note
from adapters.panel.admin.runs import RunState
from adapters.panel.identity import identity_of
from adapters.panel.routes import SESSION, Route, answer

_WORST_FIRST: Final = ("error", "warning", "unseen")


class FindingPicture(BaseModel):
    """One thing found.

    Attributes:
        severity: "error" will not work; "unseen" means that the rights do not show it.
        what: what is so, in English.
        remedy: what to do.
    """

    severity: Literal["error", "warning", "unseen"]
    what: str
    remedy: str


class PbxCheck(BaseModel):
    """The latest check.

    Attributes:
        possible: whether there is a PBX to be checked.
        state: how far it got.
        by: who asked for it.
        began_at: when.
        ended_at: when; None while it runs.
        findings: the worst first; empty when all is well.
        why: what went wrong with the check itself.
    """

    possible: bool
    state: RunState
    by: str
    began_at: datetime | None
    ended_at: datetime | None
    findings: list[FindingPicture]
    why: str

    @classmethod
    def of(cls, checks: PbxChecks) -> "PbxCheck":
        """Return what the latest check found."""
        run = checks.runs.latest
        found = [FindingPicture(severity=f.severity, what=f.what, remedy=f.remedy) for f in run.result or ()]  # type: ignore[arg-type] # pydantic looks
        return cls(
            possible=checks.check is not None,
            state=run.state,
            by=run.by,
            began_at=run.began_at,
            ended_at=run.ended_at,
            findings=sorted(found, key=lambda f: _WORST_FIRST.index(f.severity)),
            why=run.why,
        )


async def pbx_check(request: web.Request) -> web.Response:
    """Send what the latest check found."""
    return answer(PbxCheck.of(request.app[ADMIN].pbx))


async def check_pbx(request: web.Request) -> web.Response:
    """Begin a check; one that is running goes on."""
    pbx = request.app[ADMIN].pbx
    if pbx.check is None:
        return problem(409, "no-pbx", "There is no PBX to be checked: the policy names the simulator")
    if pbx.runs.start(identity_of(request).name, pbx.check):
        note(request, "pbx_checked")
    return answer(PbxCheck.of(pbx), 202)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/pbx-check",
        pbx_check,
        "The latest check of the PBX",
        response_model=PbxCheck,
        proof=(SESSION,),
    ),
    Route(
        "POST",
        "/v1/pbx-check",
        check_pbx,
        "Begin a check of the PBX, which changes nothing there",
        response_model=PbxCheck,
        status=202,
        proof=(SESSION,),
        problems={409: "`no-pbx`: the policy names the simulator."},
    ),
)
