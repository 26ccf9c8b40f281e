"""A row of the journal that a restart cannot read: the service starts, says so, and loses no alarm over it."""

from structlog.testing import capture_logs

from policies.rules import Severity
from policies.state import State
from telephony.ports import Recovered, Unreadable
from tests.telephony.fakes import Service


async def test_an_unreadable_page_is_opened_anew_and_said_aloud() -> None:
    """Nobody has answered it as far as anybody knows: its plan's first rung is told, at once, as acute."""
    s = Service()
    lost = Unreadable("page", "p-01-backup", "i-01", "Object missing required field `plan`")
    s.journal.recovered = Recovered(State(), (), (), (lost,))
    with capture_logs() as logs:
        async with s.running():
            await s.until(lambda: s.pager.sent)
    assert s.pager.sent[0].person == "Chief"
    (page,) = s.engine.state.pages.values()
    assert (page.plan.name, page.incident, page.severity) == ("backup", "i-01", Severity.ACUTE)
    said = [log for log in logs if log["event"] == "journal_row_unreadable"]
    assert [(log["id"], log["log_level"]) for log in said] == [("p-01-backup", "critical")]
