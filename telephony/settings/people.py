"""Contradictions in who is reached: people, page plans, each with the channels that they need."""

from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.numbers import mobile_number
from telephony.settings.policy import Person, Plan
from telephony.settings.wording import did_you_mean


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    for name, person in look.settings.people.items():
        _person(look, name, person)
    _addresses_twice(look)
    for name, plan in look.settings.pages.items():
        _plan(look, name, plan)


def _person(look: Look, name: str, person: Person) -> None:
    at = ("people", name)
    if not person.sms and not person.mqtt:
        look.wrong(at, "has no address at which a page could arrive", "add sms = … or mqtt = …")
    if person.sms:
        _, problem = mobile_number(person.sms, look.settings.site.country)
        if problem:
            look.wrong((*at, "sms"), f"{person.sms!a} {problem}", 'write it as "+4520304050"')
        if look.settings.sms is None and not look.is_broken("sms"):
            look.wrong((*at, "sms"), "is paged by SMS, and nothing here sends SMS", "add [sms] or [sms.gateway]")
    if person.mqtt and look.settings.mqtt is None and not look.is_broken("mqtt"):
        look.wrong((*at, "mqtt"), "is paged by MQTT, and there is no broker here", "add [mqtt]")


def _addresses_twice(look: Look) -> None:
    seen: dict[str, str] = {}
    for name, person in look.settings.people.items():
        if person.mqtt and person.mqtt in seen:
            message = f"the topic of {seen[person.mqtt]} too: an answer would count for either"
            look.wrong(("people", name, "mqtt"), message, "give each person a topic of their own")
        seen.setdefault(person.mqtt, name)


def _plan(look: Look, name: str, plan: Plan) -> None:
    at = ("pages", name)
    if not plan.steps:
        look.wrong((*at, "steps"), "has no step", "add a step with people and wait_s")
    for number, step in enumerate(plan.steps):
        where = (*at, "steps", number, "people")
        if not step.people and not step.rotas:
            look.wrong(where, "nobody is on this step", "name people of [people] or rotas, or remove the step")
        for index, rota in enumerate(step.rotas):
            known(look, (*at, "steps", number, "rotas", index), "rotas", rota)
        for index, person in enumerate(step.people):
            known(look, (*where, index), "people", person)
        if len(set(step.people)) < len(step.people):
            look.doubtful(where, "somebody stands twice on this step", "remove one")
    known(look, (*at, "last_resort"), "people", plan.last_resort)
    if not plan.steps or look.is_broken("people"):
        return
    if not _reaches(look, plan, "outside"):
        message = "outside office hours this plan reaches nobody but the last resort"
        look.wrong((*at, "steps"), message, 'add a step with when = "outside" or "always" and people with an address')
    if not _reaches(look, plan, "office"):
        message = "in office hours this plan reaches nobody but the last resort"
        look.doubtful((*at, "steps"), message, 'add a step with when = "office" or "always"')


def known(look: Look, at: KeyPath, section: str, name: str) -> None:
    """Look whether `name`, which stands at `at`, is in that section."""
    if not look.knows(section, name):
        hint = did_you_mean(name, look.names(section))
        words = "there is nobody called" if section == "people" else "there is no rota"
        look.wrong(at, f'{words} "{name}"', f"add [{section}.{name}]{hint}")


def _reaches(look: Look, plan: Plan, when: str) -> bool:
    people = look.settings.people
    return any(
        step.when in ("always", when)
        and (
            any(n in people and (people[n].sms or people[n].mqtt) for n in step.people)
            or any(look.knows("rotas", n) for n in step.rotas)  # when somebody is, `telephony.gaps` looks at
        )
        for step in plan.steps
    )
