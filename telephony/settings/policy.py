"""The part of a policy file that says what is allowed: keys, kinds, handoff, breaks, people, pages.

The names of the keys are those of `policies.rules`, so that the rule which a decision names is the key in the file.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field

from telephony.settings import fields as f


class Key(f.Strict):
    """A key that an agent presses.

    Attributes:
        does: what it does, see `policies.model.Does`.
        kind: the kind that it marks the call with.
        code: digits dialled in the call.
        speed_dial: extension that the agent's phone calls.
    """

    does: Literal["warn", "end", "flag", "colleague", "chief", "back"]
    kind: f.OptionalName = ""
    code: f.Code = ""
    speed_dial: f.SpeedDial = ""


class Kind(f.Strict):
    """What policy says of one kind of call; the attributes are those of `policies.rules.KindRules`."""

    warnings: Annotated[int, Field(ge=0, le=5)] = 1
    warning: f.Prompt = "warning"
    warning_tries: Annotated[int, Field(ge=1, le=10)] = 2
    wait_s: f.Seconds = 5.0
    warning_lasts_s: f.WaitSeconds = 600.0
    may_end: bool = False
    closing: f.Prompt = "closing"
    latched: bool = False
    may_transfer: bool = True
    break_s: Annotated[int, Field(ge=0, le=f.DAY_S)] = 0
    page: f.OptionalName = ""
    severity: Literal["acute", "urgent", "normal"] = "normal"


class Presses(f.Strict):
    """How late and how fast a key may be pressed.

    Attributes:
        late_key_s: an ending key that took longer to arrive is not obeyed.
        late_flag_s: a flag that comes this long after the call still counts for it.
        double_press_s: two presses within this time are one.
    """

    late_key_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    late_flag_s: Annotated[float, Field(ge=0, le=3600)] = 120.0
    double_press_s: Annotated[float, Field(ge=0, le=10)] = 1.0


class Handoff(f.Strict):
    """What both handoffs have, see `policies.rules.HandoffRules`."""

    ring_s: Annotated[float, Field(ge=3, le=120)] = 15.0
    brief: f.Prompt = "brief-takeover"
    leave: Literal["on_join", "by_key"] = "by_key"
    then: f.Text = ""


class Colleague(Handoff):
    """How a colleague takes a call over."""

    same_team_first: bool = True
    most: Annotated[int, Field(ge=1, le=50)] = 5


class ChiefTarget(f.Strict):
    """One who is rung as chief.

    Attributes:
        name: shown to the agent.
        endpoint: in the PBX's words.
        agent: agent id, when the chief is an agent too.
        confirm: a voicemail may answer there, so a key press is asked for.
    """

    name: f.Text
    endpoint: f.Endpoint
    agent: f.OptionalName = ""
    confirm: bool = False


class Chief(Handoff):
    """How the chief is brought in.

    Attributes:
        chain: who is rung, one after the other.
    """

    brief: f.Prompt = "brief-chief"
    chain: list[ChiefTarget] = Field(default_factory=list)


class Handoffs(f.Strict):
    """Both handoffs."""

    colleague: Colleague = Colleague()
    chief: Chief = Chief()


class Breaks(f.Strict):
    """What policy says of breaks, see `policies.rules.BreakRules`."""

    agent_may_end: bool = True
    retry_s: Annotated[float, Field(ge=1, le=300)] = 5.0


class Hours(f.Strict):
    """Opening hours by weekday; a day that is left out is closed."""

    mon: list[f.Span] = Field(default_factory=list)
    tue: list[f.Span] = Field(default_factory=list)
    wed: list[f.Span] = Field(default_factory=list)
    thu: list[f.Span] = Field(default_factory=list)
    fri: list[f.Span] = Field(default_factory=list)
    sat: list[f.Span] = Field(default_factory=list)
    sun: list[f.Span] = Field(default_factory=list)


Channel = Literal["mqtt", "sms", "voice", "email", "apprise"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Person(f.Strict):
    """Somebody who can be paged, by every channel that is given.

    Attributes:
        mqtt: name of the person's topic, "" for none.
        sms: phone number, "" for none.
        voice: how the PBX rings this person with an announcement, None for not at all.
        email: address, "" for none.
        apprise_url_file: file that holds one Apprise URL, for any other service; "" for none.
        order: of the channels, where they go in turn; one that is left out comes after those.
        language: of the messages, None for the site's.
        phone: how the PBX rings this person, who takes a call over from the duty desk; None for not at all.
        phone_confirm: a voicemail may answer there, so a key press is asked for.
    """

    mqtt: f.OptionalName = ""
    sms: Annotated[str, Field(max_length=40)] = ""
    voice: f.Endpoint | None = None
    email: f.OptionalMail = ""
    apprise_url_file: f.FileName = ""
    order: list[Channel] = Field(default_factory=lambda: list(get_args(Channel)))
    language: f.Language | None = None
    phone: f.Endpoint | None = None
    phone_confirm: bool = True

    @property
    def channels(self) -> Mapping[str, str]:
        """The address of each channel that is given, as the file has it, in this person's order."""
        given = {
            "mqtt": self.mqtt,
            "sms": self.sms,
            "voice": self.voice or "",
            "email": self.email,
            "apprise": self.apprise_url_file,
        }
        return {channel: given[channel] for channel in dict.fromkeys((*self.order, *given)) if given[channel]}


class Step(f.Strict):
    """One rung of a page plan, see `policies.rules.Step`: people, or rotas, or both."""

    people: list[f.Name] = Field(default_factory=list)
    rotas: list[f.Name] = Field(default_factory=list)
    wait_s: Annotated[float, Field(ge=10, le=f.DAY_S)]
    when: Literal["always", "office", "outside"] = "always"
    in_turn_s: f.Seconds = 0.0


class Plan(f.Strict):
    """An escalation, see `policies.rules.PagePlan`."""

    steps: list[Step]
    rounds: Annotated[int, Field(ge=1, le=20)] = 2
    last_resort: f.Name
    last_resort_every_s: Annotated[float, Field(ge=60, le=f.DAY_S)] = 900.0


class Proofs(f.Strict):
    """When each person's channels are tested, see `policies.rules.ProofRules`.

    Attributes:
        every_days: from an answer to the next test.
        hours: in which tests are sent, in the site's zone.
        days: on these weekdays that are no closed days.
        lapse_s: who has not answered by then has not been reached.
    """

    every_days: Annotated[int, Field(ge=1, le=366)] = 30
    hours: f.Span = "10:00-14:00"
    days: list[Weekday] = Field(default_factory=lambda: list(get_args(Weekday)[:5]))
    lapse_s: Annotated[float, Field(ge=600, le=14 * f.DAY_S)] = 86_400.0


class Agent(f.Strict):
    """What is said of one agent, beyond what the PBX knows.

    Attributes:
        name: shown to colleagues.
        interface: how the PBX rings the agent, None where the queues say it.
        team: colleagues of the same team are rung first.
        language: the agent's own, for what is said to the agent; None for the site's.
    """

    name: f.Text = ""
    interface: f.Endpoint | None = None
    team: f.Text = ""
    language: f.Language | None = None


class Queue(f.Strict):
    """What is said of one queue.

    Attributes:
        language: of its callers, None for the site's.
    """

    language: f.Language | None = None
