"""What the admin's routes need, and how it gets into the application."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.accounts.accounts import Audit
from adapters.accounts.model import Identity, Role
from adapters.panel.admin.checks import PbxChecks
from adapters.panel.admin.loads import Loads
from adapters.panel.admin.pseudonyms import Pseudonyms
from adapters.panel.admin.shelf import Shelf
from adapters.panel.admin.trail import Trail
from adapters.panel.identity import identity_of


@dataclass(frozen=True, slots=True)
class Admin:
    """What the admin's routes need.

    Attributes:
        loads: the policy in force, and what came of the last reload.
        shelf: the prompts.
        pbx: checks of the PBX.
        trail: the audit trail.
        pseudonyms: what an auditor reads instead of names.
        audit: makes an audit line: (whose doing, what, about whom, from which address).
        auditor_sees_names: what the site has decided; see docs/panel-admin.md.
    """

    loads: Loads
    shelf: Shelf
    pbx: PbxChecks
    trail: Trail
    pseudonyms: Pseudonyms
    audit: Audit
    auditor_sees_names: bool = False

    def sees_names(self, identity: Identity) -> bool:
        """Tell whether names are shown to somebody."""
        return Role.ADMIN in identity.roles or self.auditor_sees_names


ADMIN: Final = web.AppKey("admin", Admin)


def add_admin(app: web.Application, admin: Admin) -> None:
    """Put it into the application; what runs in the background ends with it."""
    app[ADMIN] = admin

    async def close(_app: web.Application) -> None:
        await admin.pbx.runs.close()
        await admin.trail.close()

    app.on_cleanup.append(close)


def note(request: web.Request, what: str, whom: str = "") -> None:
    """Write into the audit trail what somebody has done here."""
    request.app[ADMIN].audit(identity_of(request).name, what, whom, request.remote or "")
