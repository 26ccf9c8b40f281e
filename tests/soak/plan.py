"""The policy of the soak: three rungs, twice, and a last resort; an hour of it takes twelve seconds."""

from datetime import UTC, datetime

from policies.rules import Contact, PagePlan, Rules, Step

SPEED = 300.0
START = datetime(2027, 3, 27, 20, 0, tzinfo=UTC)
CHANNEL = "soak"


def _person(name: str, *ways: str) -> Contact:
    return Contact(name, tuple((CHANNEL, f"{name}/{way}") for way in ways))


PLAN = PagePlan(
    name="soak",
    steps=(
        Step((_person("anna", "sms", "voice"),), 120),
        Step((_person("bo", "sms"), _person("cilla", "sms")), 120),
        Step((_person("dan", "sms", "voice", "email"),), 180, in_turn_s=60),
    ),
    last_resort=_person("desk", "voice"),
    last_resort_every_s=300,
)
RULES = Rules(version="soak", kinds={}, keys={}, pages={PLAN.name: PLAN})
