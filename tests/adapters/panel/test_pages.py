"""What the screens are made of: the right words in the right place, and nothing that could run."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import make_mocked_request

from adapters.accounts.model import Role
from adapters.panel.i18n import LANGUAGES
from adapters.panel.pages import Pages, Site, Viewer
from policies.reasons import SENTENCES
from telephony.screens.model import BreakPicture, DutyScreen, Mood
from tests.browser import pictures

EVIL = '<img src=x onerror="alert(1)">'
WINTER = datetime(2027, 1, 10, 13, 5, tzinfo=UTC)
ROLES = {
    frozenset({Role.AGENT}): [],
    frozenset({Role.AGENT, Role.CHIEF}): ["/panel/agent", "/panel/duty"],
    frozenset(Role): ["/panel/agent", "/panel/duty", "/panel/admin"],
}


def pages(roles: frozenset[Role] = frozenset(Role), language: str = "en") -> Pages:
    site = Site("Helpline", ZoneInfo("Europe/Helsinki"), pictures.ACUTE_KINDS)
    return Pages(site, lambda _: Viewer("Anna", roles, language, "csrf-token"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", pictures.agent_states())
def test_every_state_of_the_agents_screen_is_drawn(state: str, language: str) -> None:
    """One heading, one key for each key of the policy, and no code of a machine among the words."""
    picture = pictures.agent_states()[state]
    html = pages().render_agent(picture, language)
    assert html.count("<h1") == 1
    keys = [key.key for key in picture.keys if key.does != "back" or picture.break_]
    assert sorted(re.findall(r'data-key="([^"]*)"', html)) == sorted(keys)
    words = re.sub(r"<[^>]*>", " ", html)
    assert not re.search(r"\b[a-z]+_[a-z_]+\b", words)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", pictures.duty_states())
def test_every_state_of_the_duty_desk_and_the_wallboard_is_drawn(state: str, language: str) -> None:
    """Nothing is left out that should be there, and no code of a machine is among the words."""
    picture = pictures.duty_states()[state]
    for html in (pages().render_duty(picture, language), pages().render_wall(picture, language)):
        assert not re.search(r"\b[a-z]+_[a-z_]+\b", re.sub(r"<[^>]*>", " ", html))
    desk = pages().render_duty(picture, language)
    assert desk.count("/acknowledge") == sum(not page.answered_by for page in picture.pages)


def test_the_wallboard_shows_nothing_of_a_caller() -> None:
    """Neither digits nor kind nor queue nor note."""
    html = pages().render_wall(pictures.duty_states()["busy"], "en")
    assert "Jonas" in html
    for secret in ("…47", "Suicide", "borgerservice"):
        assert secret not in html


def test_what_people_have_written_is_text() -> None:
    """A name, a note or an id from outside is never markup."""
    note = pictures.agent(call=pictures.call(note=EVIL, queue=EVIL), calls=1, kinds=(EVIL,))
    calls = pictures.duty_states()["busy"].calls
    desk = pictures.duty(calls=(calls[0].model_copy(update={"agent": EVIL}),), pages=(pictures.page(id=EVIL),))
    for html in (pages().render_agent(note, "en"), pages().render_duty(desk, "en"), pages().render_wall(desk, "en")):
        assert "<img" not in html
        assert "&lt;img" in html


def test_an_id_goes_into_the_address_as_one_segment() -> None:
    """A slash in an id does not lead elsewhere."""
    html = pages().render_duty(DutyScreen(protection=pictures.ON, pages=(pictures.page(id="a/../b?c"),)), "en")
    assert 'data-do="/v1/pages/a%2F..%2Fb%3Fc/acknowledge"' in html


def test_times_are_the_sites_and_the_languages() -> None:
    """13:05 UTC in January is 15:05 in Helsinki, which Finns write with a dot."""
    pause = BreakPicture(id="b", agent="anna", state="on", until=WINTER)
    picture = pictures.agent(Mood.BREAK, **{"break": pause})
    assert "until 15:05" in pages().render_agent(picture, "en")
    assert "klo 15.05 asti" in pages().render_agent(picture, "fi")
    assert 'data-until="2027-01-10T13:05:00.000+00:00"' in pages().render_agent(picture, "fi")


@pytest.mark.parametrize(
    ("mood", "last", "is_said"),
    [
        (Mood.FLAGGED, "warning_not_heard", True),
        (Mood.WARNING, "warning_started", False),  # the mood says it
        (Mood.ENDING, "ending", False),  # not yet true
        (Mood.CLOSING, "ending", True),
    ],
)
def test_an_answer_is_said_when_it_is_true_and_adds_something(mood: Mood, last: str, is_said: bool) -> None:  # noqa: FBT001 -- a row
    """“You are free” is not said while the PBX has not let the agent go."""
    html = pages().render_agent(pictures.agent(mood, last=last, last_at=WINTER), "en")
    assert ('id="last"' in html) is is_said


def test_the_next_key_is_the_one_of_the_calls_kind() -> None:
    """Large is what is meant now; every key keeps its place."""
    free = pages().render_agent(pictures.agent(call=pictures.call(), calls=1), "en")
    sexual = pages().render_agent(pictures.agent(call=pictures.call("sexual", "open"), calls=1), "en")
    large = re.compile(r'<li class="next">\s*<button[^>]* id="key-(\w+)"')
    assert (large.findall(free), large.findall(sexual)) == (["warn"], ["sexual"])
    order = re.compile(r'data-key="(\w+)"')
    assert order.findall(free) == order.findall(sexual)


@pytest.mark.parametrize(("roles", "links"), ROLES.items())
async def test_a_frame_leads_only_where_its_viewer_may_go(roles: frozenset[Role], links: list[str]) -> None:
    """With a single screen there is nothing to lead to."""
    answer = await pages(roles).agent(make_mocked_request("GET", "/panel/agent"))
    assert answer.text is not None
    assert re.findall(r'<li><a href="([^"]*)"', answer.text) == links


@pytest.mark.parametrize("screen", ["agent", "duty", "wall"])
async def test_a_frame_holds_no_state_and_nothing_that_a_strict_csp_forbids(screen: str) -> None:
    """State comes by the stream alone. No inline script, style or handler; the words for scripts are data."""
    answer = await getattr(pages(), screen)(make_mocked_request("GET", f"/panel/{screen}"))
    assert 'class="state' not in answer.text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", answer.text)
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert all("src=" in one or 'type="application/json"' in one for one in scripts)
    assert f'data-stream="/panel/{screen}/stream"' in answer.text
    assert 'name="csrf" content="csrf-token"' in answer.text


async def test_scripts_know_every_reason_in_the_readers_language() -> None:
    """A refused press is answered by its code."""
    answer = await pages(language="da").agent(make_mocked_request("GET", "/panel/agent"))
    assert answer.text is not None
    for reason in SENTENCES:
        assert f'"{reason.value}":' in answer.text
    assert "Du har ingen samtale." in answer.text
