"""What would happen if: a key is pressed in a made-up call, under the policy in force or one that is being written.

The engine's own rules say it (`telephony.explain`); no call, no page and no policy is touched.
"""

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from adapters.from_settings import prompts_missing
from adapters.http.problems import problem
from adapters.panel.admin.candidate import MOST_CHARS, candidate
from adapters.panel.admin.doors import ADMIN
from adapters.panel.admin.loads import MistakePicture
from adapters.panel.admin.outcome import DryRun, Outcome, differences
from adapters.panel.routes import SESSION, Route, answer, body_of
from telephony.errors import ConfigError, Mistake
from telephony.explain import UnknownKeyError, explain
from telephony.settings import Settings

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2099
LIMIT_S: Final = 30.0
_Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Question(BaseModel):
    """What would happen if.

    Attributes:
        agent: who presses.
        key: a key's name, or what it does: warn, end, flag, colleague, chief, back.
        kind: of the call; "" for what the key marks, or for a call that nobody has marked.
        at: when; without a zone it is the site's local time. Now when left out.
        warned: how many warnings the caller has heard; as many as are needed when left out.
        since_s: seconds since the last of them; long enough when left out.
        candidate: a policy in TOML that is looked at beside the one in force.
    """

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[_Name, StringConstraints(min_length=1)]
    key: Annotated[_Name, StringConstraints(min_length=1)]
    kind: _Name = ""
    at: datetime | None = None
    warned: int | None = Field(default=None, ge=0, le=20)
    since_s: float | None = Field(default=None, ge=0, le=86_400)
    candidate: str | None = Field(default=None, max_length=MOST_CHARS)

    @field_validator("at")
    @classmethod
    def _in_our_time(cls, at: datetime | None) -> datetime | None:
        if at is not None and not _FIRST_YEAR <= at.year <= _LAST_YEAR:
            raise ValueError("year")
        return at


class NoSuchKeyError(Exception):
    """Neither policy has this key.

    Attributes:
        keys: what could have been asked for.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        super().__init__(keys)


async def ask(request: web.Request, question: Question) -> DryRun:
    """Work it out, in a thread.

    Raises:
        NoSuchKeyError: the policy in force has no such key, and nothing else was sent along that has.
        TimeoutError: it took too long.
    """
    loads = request.app[ADMIN].loads
    question = question.model_copy(update={"at": question.at or loads.clock.now()})
    async with asyncio.timeout(LIMIT_S):
        return await asyncio.to_thread(_both, loads.settings, question)


async def dry_run(request: web.Request) -> web.Response:
    """Say what would happen."""
    question = await body_of(request, Question)
    if isinstance(question, web.Response):
        return question
    try:
        return answer(await ask(request, question))
    except NoSuchKeyError as error:
        return problem(422, "no-such-key", "No such key", errors=[{"where": "key", "what": "unknown"}], keys=error.keys)
    except TimeoutError:
        return problem(503, "too-slow", "It took too long to work out")


def _both(settings: Settings, question: Question) -> DryRun:
    unknown: tuple[str, ...] = ()
    in_force: Outcome | None = None
    try:
        in_force = _outcome(settings, question)
    except UnknownKeyError as error:
        unknown = error.known
    if question.candidate is None:
        if in_force is None:
            raise NoSuchKeyError(unknown)
        return DryRun(in_force=in_force, candidate=None, mistakes=[], differs=[])
    then, mistakes = _of_candidate(settings, question)
    differs = differences(in_force, then) if in_force is not None and then is not None else []
    found = [MistakePicture.of(m) for m in mistakes]
    return DryRun(in_force=in_force, candidate=then, mistakes=found, differs=differs)


def _of_candidate(settings: Settings, question: Question) -> tuple[Outcome | None, tuple[Mistake, ...]]:
    try:
        with candidate(question.candidate or "", settings, prompts_missing) as made:
            try:
                return _outcome(made, question), made.origin.warnings
            except UnknownKeyError as error:
                missing = Mistake(
                    f"keys.{error.key}", None, "there is no such key", f"there are {', '.join(error.known)}"
                )
                return None, (*made.origin.warnings, missing)
    except ConfigError as error:
        return None, error.mistakes


def _outcome(settings: Settings, question: Question) -> Outcome:
    press = partial(explain, settings, question.agent, question.kind, question.key)
    if question.at is None:
        raise ValueError("at")
    return Outcome.of(press(question.at, warned=question.warned, since_warning_s=question.since_s))


ROUTES: Final = (
    Route(
        "POST",
        "/v1/dry-run",
        dry_run,
        "What a key would do, under the policy in force and one that is being written; nothing is changed",
        request_model=Question,
        response_model=DryRun,
        proof=(SESSION,),
        problems={
            415: "`not-json`",
            422: "`not-valid`: what is wrong with the body; `no-such-key`, with the keys that there are.",
            503: "`too-slow`",
        },
    ),
)
