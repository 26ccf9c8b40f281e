"""What the simulated PBX's own record says, in words: who rang, who was let go, and what each phone heard.

Nothing here knows what the service meant to do.
"""

from collections.abc import Callable, Mapping

from adapters.demo.telling import Narrator
from adapters.simulator.parts import SERVICE, Leg, Phone, Record, Sound
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld

_TONES = {"accepted": "yes", "not_permitted": "no", "not_yet": "not yet"}


class WatchedWorld(SimWorld):
    """A world that shows each line of its record as it is written.

    Attributes:
        shows: called with it.
    """

    def __init__(self, time: LoopTime, prompts: dict[str, float]) -> None:
        super().__init__(time, prompts, keep=None)
        self.shows: Callable[[Record], None] = lambda _record: None

    def note(self, what: str, leg: str, by: str = "", detail: str = "", legs: tuple[str, ...] = ()) -> None:
        """Write one line of history, and show it."""
        super().note(what, leg, by, detail, legs)
        self.shows(self.history[-1])


class Chronicle:
    """Tells the record of a world.

    Args:
        world: which.
        narrator: tells it.
        words: what each prompt says, by name.
    """

    def __init__(self, world: WatchedWorld, narrator: Narrator, words: Mapping[str, str]) -> None:
        self._world = world
        self._narrator = narrator
        self._words = words
        self._callers: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._told: dict[Phone, int] = {}
        self._explained: set[str] = set()
        self._is_listening = False
        world.shows = self._take
        narrator.before_each = self.sounds

    def introduce(self, number: str, name: str) -> None:
        """Say who rings from a number ("rude caller"), or has a phone ("Mette")."""
        self._callers[number] = name

    def name(self, leg_id: str) -> str:
        """Return who a leg is."""
        leg = self._world.legs.get(leg_id)  # type: ignore[call-overload]  # the record holds plain text
        if leg is not None and leg_id not in self._names:
            self._names[leg_id] = self.of(leg)
        return self._names.get(leg_id, leg_id)

    def of(self, leg: Leg) -> str:
        """Return who a leg is."""
        return self._owner(leg.phone)

    def sounds(self) -> None:
        """Tell what phones have heard since last time, once it is over."""
        if self._is_listening:
            return
        self._is_listening = True
        try:
            self._listen()
        finally:
            self._is_listening = False

    def _listen(self) -> None:
        running = {id(ear) for play in self._world.media.plays.values() for ear in play.ears.values()}
        legs = [leg.phone for leg in self._world.legs.values()]
        for phone in dict.fromkeys((*tuple(self._told), *legs, *self._world.phones.values())):
            for sound in phone.heard[self._told.setdefault(phone, 0) :]:
                if id(sound) in running:
                    break
                self._told[phone] += 1
                self._heard(phone, sound)

    def _owner(self, phone: Phone) -> str:
        if phone.agent is not None:
            return "you" if phone.agent == "you" else phone.agent.capitalize()
        name = self._callers.get(phone.endpoint, phone.endpoint)
        return f"the {name}" if name[:1].islower() else name

    def _heard(self, phone: Phone, sound: Sound) -> None:
        sort, _, rest = sound.what.partition(":")
        name = rest.partition(":")[0]
        who = _start(self._owner(phone))
        if sort == "tone":
            text = f"{who} alone: the short tone for “{_TONES.get(name, name)}”."
        else:
            whole = "whole" if sound.is_whole else "only part of it"
            text = f"{who}: the {_prompt(name)}, {whole} ({sound.heard_s:.1f} of {sound.length_s:.1f} s)."
            if name in self._words and name not in self._explained:
                self._explained.add(name)
                text += f" It says: “{self._words[name]}”"
        self._narrator.line("hears", text)

    def _take(self, record: Record) -> None:
        self.sounds()
        self.name(record.leg)
        text = self._in_words(record)
        if text:
            self._narrator.line("PBX", _start(text), record.at)

    def _in_words(self, r: Record) -> str:
        who = self.name(r.leg)
        match r.what:
            case "calls":
                return f"{_a(who)} rings the queue “{r.detail}”."
            case "rings":
                return f"{_possessive(who)} phone rings."
            case "answered":
                return f"{who} {'answer' if who == 'you' else 'answers'} {self.name(r.detail)}."
            case "rung in":
                return f"{_possessive(who)} phone rings: {self.name(r.detail)} stays in the call meanwhile."
            case "joined":
                return f"{who} is in the call, with {self._together(*r.legs)}."
            case "announced":
                return f"the {_prompt(r.detail.partition(':')[0])} begins in the call of {self._together(*r.legs)}."
            case "redirected":
                return f"{who} is taken out of the call, to the closing message."
            case "member":
                return self._member(r)
            case "ended":
                return self._ended(r, who)
        return ""

    def _member(self, r: Record) -> str:
        queue, paused, reason = r.detail.split("|", 2)
        agent = self._agent(r.leg)
        is_are = "are" if agent == "you" else "is"
        if paused == "True":
            return f"{agent} {is_are} paused in the queue “{queue}”. Reason: {reason}."
        return f"{agent} {is_are} in the queue “{queue}”."

    def _agent(self, agent: str) -> str:
        return "you" if agent == "you" else agent.capitalize()

    def _ended(self, r: Record, who: str) -> str:
        role, place, cause = r.detail.split(":")
        if role == "caller":
            how = {"caller": "hangs up", "closing": "is disconnected after the closing message"}
            return f"{who} {how.get(cause, 'is disconnected')}."
        if cause == "no answer":
            return f"{who} does not answer."
        if r.by == SERVICE:
            return f"{_possessive(who)} line to the call is ended: {who} {'are' if who == 'you' else 'is'} free."
        return f"{_possessive(who)} phone is free." if place == "bridge" else f"{_possessive(who)} phone stops ringing."

    def _together(self, *legs: str) -> str:
        return " and ".join(self.name(leg) for leg in legs)


def _prompt(name: str) -> str:
    names = {"warning": "warning", "closing": "closing message"}
    return names.get(name, "brief" if name.startswith("brief") else name)


def _a(name: str) -> str:
    """Return a name as it is said the first time."""
    bare = name.removeprefix("the ")
    return name if bare == name else f"{'an' if bare[0] in 'aeiou' else 'a'} {bare}"


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _possessive(name: str) -> str:
    return "your" if name == "you" else f"{name}'s"
