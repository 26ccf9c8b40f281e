"""The screen behind a message's link, on the whole application: who opens it answers nothing, who presses does."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.accounts.model import Role
from adapters.paging.email import EmailChannel, EmailConfig, Security
from policies import events as ev
from policies.pages import PageState
from policies.proofs import ProofState
from tests.adapters.paging.post import post
from tests.adapters.paging.stage import HandClock, alarm
from tests.adapters.panel.paged import CHIEF, DEPUTY, paged


async def test_the_screen_says_what_it_is_about_and_no_more(tmp_path: Path) -> None:
    """Incident, urgency, when, who else was told; no address, no note, no word of the caller; in nobody's cache."""
    async with paged(tmp_path) as p:
        bo = replace(p.page.told[0], message="x.9", person="Bo", address="+4520304051")
        p.engine.state = replace(p.engine.state, pages={"p": replace(p.page, told=(*p.page.told, bo))})
        status, text, answer = await p.phone.get(p.path())
    assert status == 200
    for shown in ("Acute: a call", "i-7", "Fri 12:00", "Nobody has answered yet.", "<b>Bo</b>"):
        assert shown in text
    for hidden in ("20304051", "sms:Chief", f"<b>{CHIEF}</b>", "<script"):
        assert hidden not in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    # With no-referrer a browser would send `Origin: null` with the form; elsewhere the address never goes.
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in answer.headers


async def test_it_speaks_the_language_of_the_message(tmp_path: Path) -> None:
    """Not of the browser, which may be anybody's; a link that leads nowhere can only go by the browser."""
    async with paged(tmp_path, "da") as p:
        _, text, _ = await p.phone.get(p.path())
        assert '<html lang="da">' in text
        assert "Ingen har svaret endnu." in text
        _, text, _ = await p.phone.get("/t/aaaaaaaaaaaaaaaa", headers={"Accept-Language": "fi"})
        assert '<html lang="fi">' in text


async def test_who_presses_has_it(tmp_path: Path) -> None:
    """The page is taken by the person to whom the message went, and the screen says so once that is decided."""
    async with paged(tmp_path) as p:
        status, text = await p.press("take")
        assert (status, p.answers) == (200, [(CHIEF, "link")])
        assert (p.page.state, p.page.answered_by, p.page.means) == (PageState.ANSWERED, CHIEF, "link")
        assert "You have it, since 12:00." in text
        assert "<form" not in text


async def test_the_link_in_a_mail_leads_here(tmp_path: Path) -> None:
    """The whole way: a real mail to the chief, whose link is opened by a scanner first, and then by the chief."""
    async with paged(tmp_path) as p, post() as at:
        told = p.page.told[0]
        mail = EmailChannel(EmailConfig("127.0.0.1", "v@example.dk", at.port, Security.NONE), HandClock(), p.g.links)
        await mail.tell(alarm("email", "chief@example.dk", page=p.page.id, message=told.message, language="sv"))
        [link] = re.findall(r"https://vagt\.example(/t/\S+)", at.only().get_content())
        for _ in range(3):
            assert (await p.phone.get(link))[0] == 200
        assert p.page.is_open
        assert "You have it" in (await p.press("take", link))[1]
        assert p.page.answered_by == CHIEF


async def test_opening_it_answers_nothing(tmp_path: Path) -> None:
    """GET again and again as scanners and prefetching browsers do, HEAD, and OPTIONS: nobody has answered."""
    async with paged(tmp_path) as p:
        for headers in ({}, {"Sec-Purpose": "prefetch"}, {"User-Agent": "Barracuda Sentinel (EE)"}):
            for _ in range(3):
                assert (await p.phone.get(p.path(), headers=headers))[0] == 200
        for does in ("take", "pass"):
            assert (await p.phone.get(f"{p.path()}?does={does}"))[0] == 200
        assert (await p.phone.ask("HEAD", p.path()))[0] == 405
        assert (await p.phone.ask("OPTIONS", p.path()))[0] == 405
        await p.g.site.service.settled()
        assert p.answers == []
        assert p.page.is_open


async def test_a_blind_post_answers_nothing(tmp_path: Path) -> None:
    """Without what stands in the form, with another message's, from another site, from nowhere, or with no button."""
    async with paged(tmp_path) as p:
        path = p.path()
        right = {"csrf": p.g.links.form(p.page.told[0].message), "does": "take"}
        elsewhere = ({"Origin": "https://evil.example"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"})
        tries: list[tuple[dict[str, str], dict[str, str]]] = [
            ({"does": "take"}, {}),
            (right | {"csrf": p.g.links.form("x.9")}, {}),
            (right | {"csrf": path.removeprefix("/t/")}, {}),
            (right | {"csrf": "æ"}, {}),
            ({"csrf": right["csrf"]}, {}),
            (right | {"does": "both"}, {}),
            *((right, headers) for headers in (*elsewhere, {"Origin": ""})),
        ]
        for fields, headers in tries:
            status, text, _ = await p.phone.ask("POST", path, data=fields, headers=headers)
            assert (status, "does not count" in text) == (403, True), (fields, headers)
        await p.g.site.service.settled()
        assert p.answers == []
        own = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        assert (await p.phone.ask("POST", path, data=right, headers=own))[0] == 303


async def test_who_cannot_passes_it_on(tmp_path: Path) -> None:
    """The next one is told without waiting; the screen says so, and can still take it."""
    async with paged(tmp_path) as p:
        assert {t.person for t in p.page.told} == {CHIEF}
        status, text = await p.press("pass")
        assert (status, p.answers) == (200, [(CHIEF, "link")])
        assert "You have said that you cannot." in text
        assert p.page.is_open
        assert DEPUTY in {t.person for t in p.page.told}
        assert "I cannot" not in text
        status, text = await p.press("take")
        assert "You have it" in text
        assert p.page.answered_by == CHIEF


async def test_one_who_comes_late_reads_who_has_it(tmp_path: Path) -> None:
    """Also with the form still open from before; the second answer changes nothing."""
    async with paged(tmp_path) as p:
        fields = {"csrf": p.g.links.form(p.page.told[0].message), "does": "take"}
        p.engine.take(ev.PageAnswered(**p.engine.stamp(), page=p.page.id, by=DEPUTY, means="http"))
        await p.g.site.service.until(lambda: not p.page.is_open)
        assert (await p.phone.ask("POST", p.path(), data=fields))[0] == 303
        _, text, _ = await p.phone.get(p.path())
        assert f"{DEPUTY} has it, since 12:00." in text
        assert p.answers == [(DEPUTY, "http")]


async def test_an_answer_that_is_not_decided_is_not_called_one(tmp_path: Path, monkeypatch: Any) -> None:
    """An engine that does not come to it: "asked for", and not "you have it"."""
    monkeypatch.setattr("adapters.panel.take.DECIDED_WITHIN_S", 0.05)
    async with paged(tmp_path) as p:
        monkeypatch.setattr(p.engine, "take", lambda _event: None)
        status, text = await p.press("take")
    assert (status, "not certain yet" in text, "You have it" in text) == (202, True, False)


async def test_a_link_that_leads_nowhere_says_what_to_do(tmp_path: Path) -> None:
    """A wrong one and one whose page is kept no longer look the same, and name the duty desk."""
    async with paged(tmp_path) as p:
        path = p.path()
        p.engine.state = replace(p.engine.state, pages={})
        for gone in (path, "/t/aaaaaaaaaaaaaaaa", "/t/x", "/t/%F0%9F%98%80"):
            status, text, _ = await p.phone.get(gone)
            assert (status, "ring the duty desk" in text) == (404, True), gone
            assert 'href="tel:+4520304049"' in text
        assert (await p.phone.ask("POST", path, data={"does": "take"}))[0] == 404


async def test_who_tries_links_waits_and_a_right_one_never_does(tmp_path: Path) -> None:
    """Wrong tokens are counted for each address, as wrong passwords are; an alarm's answer is not refused for it."""
    async with paged(tmp_path) as p:
        answers = [await p.phone.get(f"/t/{n:016}") for n in range(61)]
        assert {status for status, _, _ in answers[:60]} == {404}
        status, text, answer = answers[60]
        assert (status, "Too many attempts" in text, int(answer.headers["Retry-After"]) > 0) == (429, True, True)
        assert "You have it" in (await p.press("take"))[1]


async def test_a_test_of_a_path_is_answered_by_its_link(tmp_path: Path) -> None:
    """It says that it is a test, has one button, and thanks; the proof stands."""
    async with paged(tmp_path) as p:
        path = p.test_of_path()
        _, text, _ = await p.phone.get(path)
        assert re.findall(r'name="does" value="(\w+)"', text) == ["take"]
        assert "Only a test" in text
        status, text = await p.press("take", path)
        assert (status, "Thank you" in text) == (200, True)
        assert p.engine.state.proofs["Chief/sms"].state is ProofState.PROVED


async def test_who_is_logged_in_still_answers_for_the_person_of_the_message(tmp_path: Path) -> None:
    """The link is the message's: another one's session in the same browser neither shows nor counts."""
    async with paged(tmp_path) as p:
        p.phone = await p.g.of(Role.BACKUP, name="eva")
        _, text = await p.press("take")
        assert "eva" not in text
        assert p.page.answered_by == CHIEF
