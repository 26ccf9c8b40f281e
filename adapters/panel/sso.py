"""Single sign-on in a browser: out to the provider by a link, and back with a code.

A link, not a form: with our policy for forms (`form-action 'self'`) a browser follows no form to another site.
"""

import secrets
from typing import Final

import structlog
from aiohttp import web

from adapters.accounts.errors import SignOnError
from adapters.http.problems import problem
from adapters.panel.identity import COOKIE, LOGIN
from adapters.panel.login import FIRST, LoginPages, drop_cookie, is_private, local, open_session, see, set_cookie
from adapters.panel.routes import Route
from telephony.errors import BagvagtError

_log = structlog.get_logger()

SSO_COOKIE: Final = f"{COOKIE}-sso"
SSO_LASTS_S: Final = 600
BACK: Final = "/panel/sso/back"
# What somebody at the screen can do something about; all else is "sso" to them, and said in full in the log.
_TOLD: Final = ("unreachable", "no-role", "disabled", "name-taken", "refused", "last-admin")


class SsoPages:
    """The pages of this side.

    Args:
        pages: shows what went wrong, on the login.
    """

    def __init__(self, pages: LoginPages) -> None:
        self._pages = pages

    def routes(self) -> tuple[Route, ...]:
        """Return the routes; none of them is part of the API."""
        return (
            Route("GET", "/panel/sso", self.out, "Go to the provider"),
            Route("GET", BACK, self.back, "Come back from the provider"),
            Route("GET", "/panel/sso/out", self.log_out, "Log out at the provider too"),
        )

    async def out(self, request: web.Request) -> web.Response:
        """Send the browser to the provider."""
        login = request.app[LOGIN]
        if login.sign_on is None or not is_private(request):
            return problem(404, "no-sso", "There is no single sign-on here")
        if login.attempts.take_sign_on(request.remote or ""):
            return self._pages.first(request, 429, problem="wait")
        browser = secrets.token_urlsafe(32)
        then = local(request.query.get("next", ""))
        try:
            answer = see(await login.sign_on.begin(browser, f"{login.url}{BACK}", then))
        except SignOnError as error:
            return self._failed(request, error)
        # Lax: the browser comes back from another site.
        set_cookie(answer, SSO_COOKIE, browser, max_age=SSO_LASTS_S)
        return answer

    async def back(self, request: web.Request) -> web.Response:
        """Open a session for who the provider says it is."""
        login, address = request.app[LOGIN], request.remote or ""
        if login.sign_on is None or not is_private(request):
            return problem(404, "no-sso", "There is no single sign-on here")
        try:
            account, then = await login.sign_on.finish(request.cookies.get(SSO_COOKIE, ""), request.query, address)
        except SignOnError as error:
            login.audit("", f"login_failed: sso, {error.code}", "", address)
            return self._failed(request, error)
        except BagvagtError:
            return self._pages.first(request, 503, problem="store")
        answer = open_session(request, account, "sso", then)
        drop_cookie(answer, SSO_COOKIE)
        return answer

    async def log_out(self, request: web.Request) -> web.Response:
        """Send the browser to the provider's own log-out, where there is one."""
        sign_on = request.app[LOGIN].sign_on
        back = f"{FIRST}?bye"
        if sign_on is None:
            return see(back)
        try:
            return see(await sign_on.end_url(f"{request.app[LOGIN].url}{back}") or back)
        except SignOnError as error:
            return self._failed(request, error)

    def _failed(self, request: web.Request, error: SignOnError) -> web.Response:
        _log.warning("sign_on_failed", why=error.code, detail=error.detail)
        status = 503 if error.code in ("unreachable", "provider") else 403
        code = error.code if error.code in _TOLD else "unreachable" if error.code == "provider" else "sso"
        return self._pages.first(request, status, problem=code)
