"""Contradictions in who is reached: people, page plans, each with the channels that they need."""

from collections.abc import Iterator

from telephony.settings.files import secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.numbers import mobile_number
from telephony.settings.policy import Person, Plan, Step
from telephony.settings.wording import did_you_mean

_MISSING = {"people": "there is nobody called", "rotas": "there is no rota", "pages": "there is no page plan"}
_ANSWERED_BY_ADDRESS = {"mqtt": "topic", "sms": "number"}


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    for name, person in look.settings.people.items():
        _person(look, name, person)
    _addresses_twice(look)
    for name, plan in look.settings.pages.items():
        _plan(look, name, plan)


def _person(look: Look, name: str, person: Person) -> None:
    at = ("people", name)
    if not person.channels:
        remedy = "add mqtt = …, sms = …, voice = …, email = … or apprise_url_file = …"
        look.wrong(at, "has no address at which a page could arrive", remedy)
    if person.sms:
        _, problem = mobile_number(person.sms, look.settings.site.country)
        if problem:
            look.wrong((*at, "sms"), f"{person.sms!a} {problem}", 'write it as "+4520304050"')
        if look.settings.sms is None and not look.is_broken("sms"):
            look.wrong((*at, "sms"), "is paged by SMS, and nothing here sends SMS", "add [sms] or [sms.gateway]")
    if person.mqtt and look.settings.mqtt is None and not look.is_broken("mqtt"):
        look.wrong((*at, "mqtt"), "is paged by MQTT, and there is no broker here", "add [mqtt]")
    if person.email and look.settings.email is None and not look.is_broken("email"):
        look.wrong((*at, "email"), "is paged by e-mail, and nothing here sends e-mail", "add [email]")
    if person.apprise_url_file:
        url = secret(look, (*at, "apprise_url_file"), person.apprise_url_file)
        if url and "://" not in url:  # the address is a secret: it is not shown
            message = f"{person.apprise_url_file} holds no Apprise URL"
            look.wrong((*at, "apprise_url_file"), message, 'write it as Apprise does, as "ntfys://host/topic"')
    _order(look, (*at, "order"), person)


def _order(look: Look, at: KeyPath, person: Person) -> None:
    if len(set(person.order)) < len(person.order):
        look.wrong(at, "a channel stands twice in it", "name each channel once")
    missing = [channel for channel in dict.fromkeys(person.order) if channel not in person.channels]
    if missing and "order" in person.model_fields_set:
        message = f"there is no address for {' and '.join(missing)}"
        look.doubtful(at, message, "give the address, or remove it from order")


def _addresses_twice(look: Look) -> None:
    """A reply or an answer on a topic is whoever's the address is; a call or a link knows whom it went to."""
    seen: dict[tuple[str, str], str] = {}
    for name, person in look.settings.people.items():
        for channel, written in person.channels.items():
            address = written.lower() if channel == "email" else written
            if channel == "sms":
                address = mobile_number(written, look.settings.site.country)[0]
            other = seen.setdefault((channel, address), name)
            if not address or other == name:
                continue
            at = ("people", name, "apprise_url_file" if channel == "apprise" else channel)
            if channel in _ANSWERED_BY_ADDRESS:
                what = _ANSWERED_BY_ADDRESS[channel]
                message = f"the {what} of {other} too: an answer would count for either"
                look.wrong(at, message, f"give each person a {what} of their own")
            else:
                message = f"is the address of {other} too: nobody knows which of them has answered"
                look.doubtful(at, message, "give each person an address of their own, or make them one person")


def _plan(look: Look, name: str, plan: Plan) -> None:
    at = ("pages", name)
    if not plan.steps:
        look.wrong((*at, "steps"), "has no step", "add a step with people and wait_s")
    for number, step in enumerate(plan.steps):
        _step(look, (*at, "steps", number), step)
    _acute_in_turn(look, name, plan)
    known(look, (*at, "last_resort"), "people", plan.last_resort)
    if not plan.steps or look.is_broken("people"):
        return
    if not _reaches(look, plan, "outside"):
        message = "outside office hours this plan reaches nobody but the last resort"
        look.wrong((*at, "steps"), message, 'add a step with when = "outside" or "always" and people with an address')
    if not _reaches(look, plan, "office"):
        message = "in office hours this plan reaches nobody but the last resort"
        look.doubtful((*at, "steps"), message, 'add a step with when = "office" or "always"')


def _step(look: Look, at: KeyPath, step: Step) -> None:
    where = (*at, "people")
    if not step.people and not step.rotas:
        look.wrong(where, "nobody is on this step", "name people of [people] or rotas, or remove the step")
    for index, rota in enumerate(step.rotas):
        known(look, (*at, "rotas", index), "rotas", rota)
    for index, person in enumerate(step.people):
        known(look, (*where, index), "people", person)
    if len(set(step.people)) < len(step.people):
        look.doubtful(where, "somebody stands twice on this step", "remove one")
    _in_turn(look, (*at, "in_turn_s"), step)


def _in_turn(look: Look, at: KeyPath, step: Step) -> None:
    people = [(name, list(look.settings.people[name].channels)) for name in _on(look, step)]
    name, channels = max(people, key=lambda found: len(found[1]), default=("", []))
    last_s = (len(channels) - 1) * step.in_turn_s
    if last_s >= step.wait_s:
        message = (
            f"{name} would be told by {channels[-1]} after {last_s:g} s, and the step is over after {step.wait_s:g} s"
        )
        look.doubtful(at, message, "make in_turn_s shorter, or wait_s longer")


def _on(look: Look, step: Step) -> Iterator[str]:
    """Yield who may be on this step: a calendar may name anybody."""
    rotas = [rota for name, rota in look.settings.rotas.items() if name in step.rotas]
    names = {*step.people, *(name for rota in rotas for name in rota.named())}
    anybody = any(rota.has_calendar for rota in rotas)
    return (name for name in look.settings.people if anybody or name in names)


def _acute_in_turn(look: Look, name: str, plan: Plan) -> None:
    in_turn = next((n for n, step in enumerate(plan.steps) if step.in_turn_s), None)
    acute = [kind for kind, rules in look.settings.kinds.items() if rules.latched and rules.page == name]
    if in_turn is not None and acute:
        message = f'the page of an acute kind, "{acute[0]}", waits {plan.steps[in_turn].in_turn_s:g} s between channels'
        look.doubtful(("pages", name, "steps", in_turn, "in_turn_s"), message, "write in_turn_s = 0: all at once")


def known(look: Look, at: KeyPath, section: str, name: str) -> None:
    """Look whether `name`, which stands at `at`, is in that section."""
    if not look.knows(section, name):
        hint = did_you_mean(name, look.names(section))
        look.wrong(at, f'{_MISSING[section]} "{name}"', f"add [{section}.{name}]{hint}")


def _reaches(look: Look, plan: Plan, when: str) -> bool:
    people = look.settings.people
    return any(
        step.when in ("always", when)
        and (
            any(n in people and people[n].channels for n in step.people)
            or any(look.knows("rotas", n) for n in step.rotas)  # when somebody is, `telephony.gaps` looks at
        )
        for step in plan.steps
    )
