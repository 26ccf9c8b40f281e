"""The admin's API is what its document says."""

from pathlib import Path

from adapters.accounts.model import Role
from adapters.http.doors import DOORS
from tests.adapters.panel.admin.desk import desk
from tests.adapters.panel.schema import held

PATHS = r"/v1/(policy|dry-run|prompts|test-pages|pbx-check|audit|pages$|proofs|report)"

# What is right by its form is refused all the same: a key that policy has not, an empty recording, no time.
REFUSED = "positive_data_acceptance"


async def test_the_admins_api_is_what_its_document_says(tmp_path: Path) -> None:
    """Right and wrong data, with and without a session, other methods: no 500, and nothing that is not described."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        d.app[DOORS].access._guesses.burst = 10**6  # it tries without a session, over and over
        found = {"path.language": "da", "path.name": "warning", "path.person": "anna", "path.channel": "mqtt"}
        await held(tmp_path, d.base, admin.browser.cookie(), admin.csrf, found, PATHS, without=REFUSED)
