"""Who can be reached by what, over the API; and the test of one path, now.

The path of a person is tested by the core: a message that says that it is a test, and asks for an answer.
"""

from typing import Final

from aiohttp import web
from pydantic import BaseModel

from adapters.http.doors import DOORS
from adapters.http.problems import problem
from adapters.panel.admin.doors import ADMIN
from adapters.panel.api import PANEL
from adapters.panel.identity import identity_of
from adapters.panel.routes import SESSION, Route, answer
from policies import events as ev
from policies.rules import Severity
from telephony.screens.model import ProofPicture
from telephony.screens.proofs import longest_ago_first, proof_pictures

_SCOPE: Final = "proofs"


class ProofRulesPicture(BaseModel):
    """When paths are tested.

    Attributes:
        every_days: from an answer to the next test.
        lapse_s: who has not answered by then has not been reached, in seconds.
    """

    every_days: int
    lapse_s: float


class ProofList(BaseModel):
    """Who can be reached by what, as far as was tried; never and longest ago first.

    Attributes:
        proofs: see there.
        rules: when paths are tested; None where policy asks for no tests.
        names: whether names are shown.
    """

    proofs: list[ProofPicture]
    rules: ProofRulesPicture | None
    names: bool


class ProofTest(BaseModel):
    """A test that was asked for.

    Attributes:
        person: whom it goes to.
        channel: by what.
    """

    person: str
    channel: str


def proofs_of(request: web.Request) -> ProofList:
    """Return the state of the paths as who asks may see it."""
    admin, moment = request.app[ADMIN], request.app[PANEL].screens.moment()
    rules = moment.policy.now.proofs
    found = proof_pictures(moment.state.proofs, moment.policy.now, moment.at)
    names = admin.sees_names(identity_of(request))
    if not names:
        masked = (p.model_copy(update={"person": admin.pseudonyms.of(_SCOPE, p.person)}) for p in found)
        found = longest_ago_first(masked)
    return ProofList(
        proofs=list(found),
        rules=None if rules is None else ProofRulesPicture(every_days=rules.every_days, lapse_s=rules.lapse_s),
        names=names,
    )


async def proofs(request: web.Request) -> web.Response:
    """Send the state of the paths."""
    return answer(proofs_of(request))


async def ask_proof(request: web.Request) -> web.Response:
    """Test one path now."""
    engine = request.app[DOORS].engine
    person, channel = request.match_info["person"], request.match_info["channel"]
    contact = engine.policy.now.people.get(person)
    if contact is None or channel not in dict(contact.channels):
        return problem(404, "no-such-path", "Policy knows no such person, or no such channel of theirs")
    if any(page.is_open and page.severity is Severity.ACUTE for page in engine.state.pages.values()):
        return problem(409, "alarm-open", "An acute alarm is open; a test would confuse it")
    engine.take(ev.ProofAsked(**engine.stamp(), person=person, channel=channel, by=identity_of(request).name))
    return answer(ProofTest(person=person, channel=channel), 202)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/proofs",
        proofs,
        "Who can be reached by what, as far as was tried; for auditors with pseudonyms",
        response_model=ProofList,
        proof=(SESSION,),
    ),
    Route(
        "POST",
        "/v1/proofs/{person}/{channel}",
        ask_proof,
        "Send this person a test on this channel now; their answer proves it",
        response_model=ProofTest,
        status=202,
        proof=(SESSION,),
        problems={
            404: "`no-such-path`: policy knows no such person, or no such channel of theirs.",
            409: "`alarm-open`: an acute alarm is open.",
        },
    ),
)
