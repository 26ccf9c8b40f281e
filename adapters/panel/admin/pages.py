"""The admin's screens as HTML. What they show is what the API answers; what they change goes to the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from babel.dates import format_datetime
from pydantic import ValidationError

from adapters.accounts import api_models as accounts
from adapters.accounts.model import Role
from adapters.panel.admin import audit, dry_run, past_pages, policy, proofs, test_page
from adapters.panel.admin.doors import ADMIN
from adapters.panel.admin.outcome import DryRun
from adapters.panel.admin.pbx import PbxCheck
from adapters.panel.i18n import LANGUAGES, known, locale
from adapters.panel.identity import LOGIN, identity_of
from adapters.panel.pages import Pages
from adapters.panel.routes import Route, query_of
from policies import events as ev
from policies.model import Does

HOME: Final = "/panel/admin"
TABS: Final = (
    ("policy", True),
    ("dry-run", False),
    ("prompts", False),
    ("test-page", False),
    ("proofs", True),
    ("report", True),
    ("pbx-check", False),
    ("audit", True),
    ("accounts", False),
    ("tokens", False),
    ("sessions", False),
)
"""(last part of the path, whether an auditor has it)."""
_WHY: Final = {403: "names", 404: "gone", 409: "too-many", 422: "not-valid", 503: "store"}
EVENT_TYPES: Final = tuple(
    sorted(
        name
        for name, kind in vars(ev).items()
        if isinstance(kind, type) and issubclass(kind, ev.Event) and kind is not ev.Event
    )
)


class AdminPages:
    """The screens of this side.

    Args:
        pages: draws.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> tuple[Route, ...]:
        """Return the routes; none of them is part of the API."""
        return (
            Route("GET", HOME, self.home, "What there is to administer"),
            Route("GET", f"{HOME}/policy", self.policy, "The policy in force"),
            Route("GET", f"{HOME}/dry-run", self.dry_run, "What would happen if"),
            Route("POST", f"{HOME}/dry-run", self.asked, "Say what would happen"),
            Route("GET", f"{HOME}/prompts", self.prompts, "What callers hear"),
            Route("GET", f"{HOME}/test-page", self.test_page, "A test of the way to the backup"),
            Route("GET", f"{HOME}/proofs", self.proofs, "Who can be reached by what"),
            Route("GET", f"{HOME}/report", self.report, "Figures of pages, and those that are over"),
            Route("GET", f"{HOME}/report/{{page}}", self.one_page, "One page's time line"),
            Route("GET", f"{HOME}/pbx-check", self.pbx_check, "The check of the PBX"),
            Route("GET", f"{HOME}/audit", self.audit, "The audit trail"),
            Route("GET", f"{HOME}/audit/chain", self.chain, "The latest check of the audit trail"),
            Route("GET", f"{HOME}/accounts", self.accounts, "Who may log in"),
            Route("GET", f"{HOME}/tokens", self.tokens, "Tokens of phones and programs"),
            Route("GET", f"{HOME}/sessions", self.sessions, "Who is logged in"),
        )

    async def home(self, request: web.Request) -> web.Response:
        """Send the overview."""
        admin = request.app[ADMIN]
        return self._page(
            request,
            "home",
            in_force=policy.of_request(request),
            check=PbxCheck.of(admin.pbx),
            folder=admin.shelf.folder,
            overdue=sum(proof.overdue for proof in proofs.proofs_of(request).proofs),
        )

    async def policy(self, request: web.Request) -> web.Response:
        """Send the policy in force."""
        return self._page(request, "policy", in_force=policy.of_request(request))

    async def dry_run(self, request: web.Request) -> web.Response:
        """Send the form."""
        return self._dry_run(request, {})

    async def asked(self, request: web.Request) -> web.Response:
        """Answer the form."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        given = {name: value for name, value in form.items() if name in dry_run.Question.model_fields and value.strip()}
        try:
            question = dry_run.Question.model_validate(given)
            found = await dry_run.ask(request, question)
        except ValidationError as error:
            wrong = {str(e["loc"][0]): e["type"] for e in error.errors(include_input=False)}
            return self._dry_run(request, form, wrong=wrong, status=422)
        except dry_run.NoSuchKeyError:
            return self._dry_run(request, form, wrong={"key": "unknown"}, status=422)
        except TimeoutError:
            return self._dry_run(request, form, wrong={"": "too-slow"}, status=503)
        return self._dry_run(request, form, found=found)

    async def prompts(self, request: web.Request) -> web.Response:
        """Send the prompts."""
        return self._page(request, "prompts", shelf=await request.app[ADMIN].shelf.list(), names=LANGUAGES)

    async def test_page(self, request: web.Request) -> web.Response:
        """Send the tests of the way to the backup."""
        plans = list(request.app[ADMIN].loads.settings.pages)
        return self._page(request, "test-page", tests=test_page.tests(request), plans=plans)

    async def proofs(self, request: web.Request) -> web.Response:
        """Send who can be reached by what."""
        return self._page(request, "proofs", found=proofs.proofs_of(request))

    async def report(self, request: web.Request) -> web.Response:
        """Send figures and pages of a time; the form keeps what was asked."""
        span = {name: value for name, value in request.query.items() if name in ("since", "until") and value}
        asked = query_of(request, past_pages.AskedPages)
        figures: Any = asked
        found: Any = asked
        if not isinstance(asked, web.Response):
            figures, found = await past_pages.count(request, asked), await past_pages.look(request, asked)
        refused = next((one.status for one in (figures, found) if isinstance(one, web.Response)), 0)
        return self._page(
            request,
            "report",
            refused or 200,
            figures=None if refused else figures,
            found=None if refused else found,
            why=_WHY.get(refused, "store") if refused else "",
            given=span,
            is_later=bool(request.query.get("before")),
        )

    async def one_page(self, request: web.Request) -> web.Response:
        """Send one page's time line."""
        found = await past_pages.find(request, request.match_info["page"])
        refused = found.status if isinstance(found, web.Response) else 0
        page = None if refused else found
        return self._page(request, "report", refused or 200, template="one_page", page=page)

    async def pbx_check(self, request: web.Request) -> web.Response:
        """Send what the latest check found."""
        return self._page(request, "pbx-check", check=PbxCheck.of(request.app[ADMIN].pbx))

    async def audit(self, request: web.Request) -> web.Response:
        """Send some lines of the trail."""
        asked = query_of(request, audit.Look)
        found = asked if isinstance(asked, web.Response) else await audit.look(request, asked)
        refused = found.status if isinstance(found, web.Response) else 0
        return self._page(
            request,
            "audit",
            refused or 200,
            found=None if refused else found,
            why=_WHY.get(refused, "store") if refused else "",
            given=dict(request.query),
            types=EVENT_TYPES,
            may_name=request.app[ADMIN].sees_names(identity_of(request)),
            check=audit.AuditCheck.of(request.app[ADMIN].trail),
        )

    async def chain(self, request: web.Request) -> web.Response:
        """Send what the latest check of the trail found; looking at that is no look into the trail."""
        check = audit.AuditCheck.of(request.app[ADMIN].trail)
        return self._page(request, "audit", template="audit_chain", check=check)

    async def accounts(self, request: web.Request) -> web.Response:
        """Send the accounts."""
        login = request.app[LOGIN]
        settings = request.app[ADMIN].loads.settings
        return self._page(
            request,
            "accounts",
            accounts=[accounts.AccountPicture.of(a) for a in login.accounts.all()],
            roles=list(Role),
            people=list(settings.people),
            names=LANGUAGES,
            has_sso=login.sign_on is not None,
            me=identity_of(request).name,
        )

    async def tokens(self, request: web.Request) -> web.Response:
        """Send the tokens."""
        tokens = [accounts.PhoneTokenPicture.of(t) for t in request.app[LOGIN].phone_tokens.all()]
        settings = request.app[ADMIN].loads.settings
        return self._page(request, "tokens", tokens=tokens[::-1], people=list(settings.people))

    async def sessions(self, request: web.Request) -> web.Response:
        """Send the sessions."""
        found = request.app[LOGIN].sessions.of()
        pictures = [accounts.SessionPicture.of(s, identity_of(request).session) for s in found]
        return self._page(request, "sessions", sessions=pictures[::-1])

    def _dry_run(
        self,
        request: web.Request,
        form: Mapping[str, str],
        *,
        found: DryRun | None = None,
        wrong: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> web.Response:
        settings = request.app[ADMIN].loads.settings
        return self._page(
            request,
            "dry-run",
            status,
            form=form,
            found=found,
            wrong=wrong or {},
            keys=list(dict.fromkeys((*settings.keys, *(does.value for does in Does)))),
            kinds=list(settings.kinds),
            agents=list(settings.agents),
        )

    def _page(
        self, request: web.Request, tab: str, status: int = 200, template: str = "", **context: Any
    ) -> web.Response:
        identity = identity_of(request)
        writes, zone = locale(known(identity.language)), request.app[ADMIN].loads.zone

        def when(at: datetime | str, form: str = "medium") -> str:
            """Write a time out, as the site's clock shows it."""
            at = datetime.fromisoformat(at) if isinstance(at, str) else at
            return format_datetime(at, form, zone, writes)

        is_admin = Role.ADMIN in identity.roles
        tabs = [name for name, for_auditor in TABS if is_admin or for_auditor]
        name = template or tab.replace("-", "_")
        return self._pages.page(
            request, f"admin/{name}.html", status, tab=tab, tabs=tabs, when=when, is_admin=is_admin, **context
        )
