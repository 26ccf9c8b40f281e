"""The house that all stories share which kill nothing, and what single stories need of a house."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.asterisk.facts import DIALPLAN, FEATURES, Conversation, write_prompts
from tests.asterisk.house import SITE, House, Mobile, mobile_at, open_house, opened
from tests.conftest import MakeAsterisk
from tests.lab.asterisk import Asterisk
from tests.lab.mosquitto import Mosquitto
from tests.lab.raw import Ari
from tests.lab.service import SmsGateway

POLICY = (
    SITE
    + """
    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"
    speed_dial = "8591"

    [keys.end]
    does = "end"
    code = "*96"
    speed_dial = "8596"

    [keys.suicide]
    does = "flag"
    kind = "suicide"
    code = "*99"
    speed_dial = "8599"

    [keys.stern]
    does = "warn"
    kind = "stern"

    [keys.slow]
    does = "warn"
    kind = "slow"

    [keys.lost]
    does = "warn"
    kind = "lost"

    [keys.gone]
    does = "warn"
    kind = "gone"

    [keys.back]
    does = "back"
    speed_dial = "8590"

    [kinds.abuse]
    may_end = true
    wait_s = 1.5

    [kinds.stern]
    may_end = false

    [kinds.slow]
    warning = "long"
    may_end = true
    wait_s = 0.5

    [kinds.lost]
    warning = "lost"
    may_end = true
    wait_s = 0

    [kinds.gone]
    warning = "gone"
    may_end = true
    wait_s = 0

    [kinds.suicide]
    latched = true
    page = "acute"
    break_s = 60

    [people.anna]
    mqtt = "anna"
    sms = "+4520304051"

    [pages.acute]
    last_resort = "anna"

    [[pages.acute.steps]]
    people = ["anna"]
    wait_s = 600
"""
)
"""The policy of the house that the stories which kill nothing share."""


@pytest.fixture(autouse=True)
def _shown_on_failure() -> Iterator[None]:
    """Print what each service said during a test: pytest shows it when the test fails."""
    before = {id(service): len(service.lines) for service in opened}
    yield
    for service in opened:
        for line in service.lines[before.get(id(service), 0) :]:
            print(line)  # noqa: T201 -- as above


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The house that all stories share that kill nothing: agents 1 to 26, `POLICY`."""
    agents = [f"agent{n}" for n in range(1, 27)]
    async with open_house(tmp_path_factory.mktemp("house"), POLICY, agents) as opened:
        yield opened


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    """A broker."""
    made = await Mosquitto().start()
    yield made
    await made.close()


@pytest.fixture
async def gateway() -> AsyncIterator[SmsGateway]:
    """A carrier for SMS."""
    made = await SmsGateway().start()
    yield made
    await made.close()


@pytest.fixture
async def mobile(broker: Mosquitto) -> AsyncIterator[Mobile]:
    """The mobile phones of those on call."""
    async with mobile_at(broker.port) as opened:
        yield opened


@pytest.fixture
async def lab(asterisk_lab: MakeAsterisk) -> Asterisk:
    """An Asterisk with an announcer's dialplan, an application map, and two prompts."""
    made = await asterisk_lab(
        extra={"extensions.d/bagvagt.conf": DIALPLAN, "features.d/bagvagt.conf": FEATURES},
        before_queue=("Set(__DYNAMIC_FEATURES=bagvagt_end)",),
    )
    write_prompts(made)
    return made


@pytest.fixture
async def talk(lab: Asterisk) -> AsyncIterator[Conversation]:
    """A conversation in a queue call."""
    async with Ari(lab) as ari:
        yield await Conversation(lab, ari).begin()
