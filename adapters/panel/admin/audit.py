"""The audit trail over the API: read, checked, taken along. Whoever looks leaves a line of their own (design.md 14)."""

import json
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.http.problems import problem
from adapters.panel.admin.doors import ADMIN, Admin, note
from adapters.panel.admin.runs import RunState
from adapters.panel.admin.trail import Trail
from adapters.panel.identity import identity_of
from adapters.panel.routes import SESSION, Route, answer, query_of
from adapters.store.audit import Found, Wanted
from telephony.errors import BagvagtError

MOST: Final = 500
AT_ONCE: Final = 1000
LINES: Final = "application/x-ndjson"


class Look(BaseModel):
    """What is looked for; what is left out does not matter.

    Attributes:
        since: not before this.
        until: before this.
        type: of the event, "KeyPressed".
        who: who acted, or whom it is about; not for an auditor, to whom hits would give names away.
        incident: what it belongs to.
        before: only lines before this place.
        most: how many.
    """

    model_config = ConfigDict(extra="forbid")

    since: datetime | None = None
    until: datetime | None = None
    type: str = Field(default="", max_length=64, pattern=r"^[A-Za-z]*$")
    who: str = Field(default="", max_length=64)
    incident: str = Field(default="", max_length=255)
    before: int | None = Field(default=None, ge=1, le=2**62)
    most: int = Field(default=50, ge=1, le=MOST)

    def wanted(self, zone: ZoneInfo) -> Wanted:
        """Return it for the store; a time without a zone is the site's."""
        since, until = (at.replace(tzinfo=zone) if at and at.tzinfo is None else at for at in (self.since, self.until))
        return Wanted(since, until, self.type, self.who.strip(), self.incident.strip())


class AuditLine(BaseModel):
    """One line of the trail.

    Attributes:
        seq: its place.
        at: when.
        type: of the event.
        incident: what it belongs to, "" for nothing that is known.
        line: all of it; for an auditor with pseudonyms, so that its hash cannot be worked out from it.
        prev_hash: hash of the line before.
        hash: of this one.
    """

    seq: int
    at: str
    type: str
    incident: str
    line: dict[str, Any]
    prev_hash: str
    hash: str

    @property
    def changed(self) -> list[dict[str, Any]]:
        """What went from which state to which; nothing where somebody has spoilt the line."""
        return _dicts(self.line.get("changed"))

    @property
    def actions(self) -> list[dict[str, Any]]:
        """What followed."""
        return _dicts(self.line.get("actions"))


class AuditPage(BaseModel):
    """Some lines, newest first.

    Attributes:
        lines: see there.
        next: what to give as `before` for the lines after these; None when there are none.
        count: how many lines the whole trail has.
        head: hash of its last one.
        names: whether names are shown.
    """

    lines: list[AuditLine]
    next: int | None
    count: int
    head: str
    names: bool


class AuditCheck(BaseModel):
    """The latest check of the whole chain.

    Attributes:
        state: how far it got.
        by: who asked for it.
        began_at: when.
        ended_at: when; None while it runs.
        checked: how many lines were read so far.
        holds: whether every line holds; None while nobody knows.
        first_bad: the first place that does not.
        why: what is wrong there, or with the check itself.
        head: `COUNT:HASH` of the last line that holds, to be compared with a published one.
    """

    state: RunState
    by: str
    began_at: datetime | None
    ended_at: datetime | None
    checked: int
    holds: bool | None
    first_bad: int | None
    why: str
    head: str

    @classmethod
    def of(cls, trail: Trail) -> "AuditCheck":
        """Return what the latest check found."""
        run = trail.runs.latest
        found = run.result
        return cls(
            state=run.state,
            by=run.by,
            began_at=run.began_at,
            ended_at=run.ended_at,
            checked=trail.checked,
            holds=None if found is None else found.first_bad is None,
            first_bad=None if found is None else found.first_bad,
            why=run.why if found is None else found.why,
            head="" if found is None else str(found.head),
        )


async def look(request: web.Request, wanted: Look) -> AuditPage | web.Response:
    """Return some lines, or the refusal; the look-up is noted in the trail itself."""
    refused = _refused(request, wanted)
    if refused is not None:
        return refused
    admin = request.app[ADMIN]
    note(request, _said("audit_read", wanted), wanted.who)
    try:
        found = await admin.trail.read(wanted.wanted(admin.loads.zone), most=wanted.most, before=wanted.before)
    except BagvagtError as error:
        return problem(503, "store", "The audit trail cannot be read now", detail=str(error))
    names = admin.sees_names(identity_of(request))
    lines = _lines(admin, found, names=names)
    return AuditPage(
        lines=lines,
        next=lines[-1].seq if found.more else None,
        count=found.head.seq,
        head=found.head.hash,
        names=names,
    )


async def audit(request: web.Request) -> web.Response:
    """Send some lines."""
    wanted = query_of(request, Look)
    found = wanted if isinstance(wanted, web.Response) else await look(request, wanted)
    return found if isinstance(found, web.Response) else answer(found)


async def download(request: web.Request) -> web.StreamResponse:
    """Send every line that fits, oldest first, one JSON object in each line of the answer."""
    wanted = query_of(request, Look)
    if isinstance(wanted, web.Response):
        return wanted
    refused = _refused(request, wanted)
    if refused is not None:
        return refused
    admin = request.app[ADMIN]
    names = admin.sees_names(identity_of(request))
    note(request, _said("audit_downloaded", wanted), wanted.who)
    chosen = wanted.wanted(admin.loads.zone)
    try:
        found = await admin.trail.read(chosen, most=AT_ONCE, after=0)
    except BagvagtError as error:
        return problem(503, "store", "The audit trail cannot be read now", detail=str(error))
    headers = {"Content-Type": LINES, "Content-Disposition": 'attachment; filename="bagvagt-audit.jsonl"'}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    while True:
        lines = _lines(admin, found, names=names)
        await response.write("".join(f"{line.model_dump_json()}\n" for line in lines).encode())
        if not found.more:
            return response
        found = await admin.trail.read(chosen, most=AT_ONCE, after=lines[-1].seq)


async def audit_check(request: web.Request) -> web.Response:
    """Send what the latest check of the chain found, or how far it is."""
    return answer(AuditCheck.of(request.app[ADMIN].trail))


async def check_audit(request: web.Request) -> web.Response:
    """Begin to check the whole chain; a check that runs goes on."""
    trail = request.app[ADMIN].trail
    if trail.verify(identity_of(request).name):
        note(request, "audit_verified")
    return answer(AuditCheck.of(trail), 202)


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _refused(request: web.Request, wanted: Look) -> web.Response | None:
    if wanted.who and not request.app[ADMIN].sees_names(identity_of(request)):
        return problem(403, "names", "An auditor cannot look for a name")
    return None


def _said(what: str, wanted: Look) -> str:
    """Return what was looked for, but for names: those stand in the line's own field."""
    given = wanted.model_dump(mode="json", exclude_defaults=True, exclude={"who", "most"})
    return f"{what}: {json.dumps(given, sort_keys=True)}" if given else what


def _lines(admin: Admin, found: Found, *, names: bool) -> list[AuditLine]:
    return [
        AuditLine(
            seq=one.seq,
            at=one.at,
            type=str(content.get("type", "")),
            incident=incident,
            line=content if names else admin.pseudonyms.line(content, incident),
            prev_hash=one.prev_hash,
            hash=one.hash,
        )
        for one, content, incident in found.lines
    ]


_QUERY: Final = {
    "since": "not before this time; without a zone it is the site's",
    "until": "before this time",
    "type": "of the event, as KeyPressed",
    "who": "who acted, or whom it is about; not for an auditor",
    "incident": "what it belongs to",
}
_PROBLEMS: Final = {
    403: "`names`: an auditor cannot look for a name.",
    422: "`not-valid`: what is wrong with the query.",
    503: "`store`: the store does not answer.",
}

ROUTES: Final = (
    Route(
        "GET",
        "/v1/audit",
        audit,
        "The audit trail, newest first; looking is written into it",
        response_model=AuditPage,
        proof=(SESSION,),
        query={**_QUERY, "before": "only lines before this place: `next` of the answer before", "most": "how many"},
        problems=_PROBLEMS,
    ),
    Route(
        "GET",
        "/v1/audit.jsonl",
        download,
        "The audit trail to be taken along, oldest first; each line of the answer is one",
        response_model=AuditLine,
        media=LINES,
        proof=(SESSION,),
        query=_QUERY,
        problems=_PROBLEMS,
    ),
    Route(
        "GET",
        "/v1/audit/verify",
        audit_check,
        "The latest check of the whole chain, or how far it is",
        response_model=AuditCheck,
        proof=(SESSION,),
    ),
    Route(
        "POST",
        "/v1/audit/verify",
        check_audit,
        "Begin to check the whole chain",
        response_model=AuditCheck,
        status=202,
        proof=(SESSION,),
    ),
)
