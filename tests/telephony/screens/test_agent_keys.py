"""For each key of the agent's screen what it would do, which is what it then does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from policies.actions import Verdict
from policies.model import KeyUse
from policies.reasons import Reason
from telephony.screens.asking import mark
from telephony.screens.model import Mood, Protection
from tests.policies.story import BACK, RULES, WARN, Story, call
from tests.telephony.screens.happened import acute, chief_there, ends, marked, may_end, nothing, rings, warned, warns
from tests.telephony.screens.seeing import BO_IS_FREE, key, screen

STATES: list[tuple[Callable[[Story], None], Mood, str, dict[str, str]]] = [
    # what happened, the mood, the guard's state, and key -> what it would do, or "!" and why it would not
    (
        nothing,
        Mood.CALL,
        "",
        {"warn": "warn", "end": "!no_such_kind", "suicide": "flag", "colleague": "ring_colleague"},
    ),
    (marked, Mood.FLAGGED, "open", {"warn": "warn", "end": "!kind_not_ended", "chief": "ring_chief"}),
    (warns, Mood.WARNING, "warning", {"warn": "!warning_playing", "end": "!warning_playing", "suicide": "flag"}),
    (warned, Mood.WARNED, "warned", {"warn": "!wait", "end": "!wait"}),
    (may_end, Mood.WARNED, "warned", {"warn": "end", "end": "end"}),
    (ends, Mood.ENDING, "ending", {"warn": "!call_ending", "colleague": "!call_ending"}),
    (acute, Mood.ACUTE, "acute", {"warn": "!latched", "end": "!latched", "suicide": "flag", "chief": "ring_chief"}),
    (rings, Mood.HELP, "open", {"colleague": "!ringing", "chief": "!ringing", "warn": "warn"}),
    (chief_there, Mood.HELP, "open", {"chief": "leave", "colleague": "ring_colleague"}),
]


@pytest.mark.parametrize(("happened", "mood", "state", "keys"), STATES)
def test_each_state_has_its_mood_and_each_key_says_what_it_would_do(
    happened: Callable[[Story], None], mood: Mood, state: str, keys: dict[str, str]
) -> None:
    """Row by row: the word, the guard's state, and the keys; one that is not permitted says why."""
    story = Story()
    happened(story)
    seen = screen(story, call())
    assert (seen.mood, seen.call.state if seen.call else None) == (mood, state)
    for name, would in keys.items():
        found = key(seen, name)
        assert found.permitted is not would.startswith("!"), name
        assert (found.would or f"!{found.reason}") == would, name


@pytest.mark.parametrize(("happened", "mood", "state", "keys"), STATES)
def test_a_key_then_does_what_the_screen_said(
    happened: Callable[[Story], None], mood: Mood, state: str, keys: dict[str, str]
) -> None:
    """Every key in every state: pressed then, it is accepted just when the screen said so, else refused as it said."""
    for name, use in RULES.keys.items():
        story = Story()
        happened(story)
        story.wait(1.1)  # a second thought, no bounce
        said = key(screen(story, call()), name)
        answer = story.press(use, call(), candidates=BO_IS_FREE)
        assert (answer.verdict is Verdict.ACCEPTED) is said.permitted, name
        if not said.permitted:
            assert answer.reason == said.reason


def test_looking_changes_nothing() -> None:
    """The keys are asked about, not pressed: no guard, no press, no page."""
    story = Story()
    before = story.state
    screen(story, call())
    assert story.state is before
    assert (story.state.guards, story.state.pages, story.state.presses) == ({}, {}, {})


def test_a_press_of_a_moment_ago_does_not_hide_what_the_next_one_does() -> None:
    """Within the second in which a bounce is swallowed, the screen shows the next deliberate press."""
    story = Story()
    story.press(mark("abuse"), call())
    story.wait(0.1)
    assert key(screen(story, call()), "warn").would == "warn"
    story.press(WARN, call())
    assert key(screen(story, call()), "warn").reason == Reason.WARNING_PLAYING


def test_the_wait_has_its_end_and_the_key_works_from_then() -> None:
    """`permitted_at` is the very moment: the same second later the key would end; looking again gives the same time."""
    story = Story()
    warned(story)
    story.wait(1.3)
    waits = key(screen(story, call()), "end")
    assert waits.permitted_at == story.now + timedelta(seconds=3.7)
    story.wait(1.123456)
    assert key(screen(story, call()), "end").permitted_at == waits.permitted_at
    story.now = waits.permitted_at
    now = key(screen(story, call()), "end")
    assert (now.would, now.permitted_at, now.rule) == ("end", None, "kinds.abuse.may_end")


def test_without_a_journal_no_key_would_end_and_the_others_would_work() -> None:
    """The engine ends nothing that it cannot write down; the screen says so before the key is pressed."""
    story = Story()
    story.warned()
    seen = screen(story, call(), protection=Protection(on=False, why=("journal",)))
    assert seen.mood is Mood.OFF
    assert (key(seen, "end").permitted, key(seen, "end").reason) == (False, Reason.NOT_SAVED)
    assert key(seen, "suicide").would == "flag"


def test_while_the_pbx_is_away_the_screen_is_off_and_an_alarm_still_goes_out() -> None:
    """Ending and ringing are refused with their reason; the acute key wakes the backup all the same."""
    story = Story()
    story.pbx_lost()
    seen = screen(story, call(), protection=Protection(on=False, why=("pbx",)))
    assert (seen.mood, seen.protection.why) == (Mood.OFF, ("pbx",))
    assert key(seen, "warn").reason == Reason.PBX_AWAY
    assert key(seen, "suicide").would == "flag"


def test_without_a_call_only_an_alarm_does_something() -> None:
    """No call, none just over: an acute key is an alarm, every other key says that there is no call."""
    story = Story()
    seen = screen(story)
    assert (seen.mood, seen.call, seen.calls, seen.kinds) == (Mood.FREE, None, 0, ())
    assert {k.key for k in seen.keys if k.permitted} == {"suicide"}
    assert key(seen, "warn").reason == Reason.NO_CALL
    assert key(seen, "back").reason == Reason.NO_BREAK


def test_keys_stand_in_the_policys_order_with_their_hotkeys() -> None:
    """F8 first; the site's own choice goes before, and its key is not given twice."""
    story = Story()
    seen = screen(story, call())
    assert [(k.key, k.hotkey) for k in seen.keys][:3] == [("warn", "F8"), ("end", "F9"), ("suicide", "F10")]
    own = screen(story, call(), own_hotkeys={"suicide": "F8", "back": ""})
    assert {k.key: k.hotkey for k in own.keys} == {
        "warn": "F9",
        "end": "F10",
        "suicide": "F8",
        "colleague": "F7",
        "chief": "F6",
        "back": "",
    }


def test_a_policy_with_more_keys_than_hotkeys_leaves_the_last_without() -> None:
    """The mouse does those; no key of the browser's own is taken."""
    keys = {f"k{n}": KeyUse(f"k{n}", BACK.does) for n in range(9)}
    story = Story(replace(RULES, keys=keys))
    given = [k.hotkey for k in screen(story).keys]
    assert given[-2:] == ["", ""]
    assert not {"F1", "F3", "F5", "F11", "F12"} & set(given)
