"""Logging in and out in a browser, by password and by one-time link.

A form that is sent before there is a session carries what a cookie of our own says too. Another site can set neither,
so that it can log nobody in under a name that is not theirs.
"""

import asyncio
import contextlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from aiohttp import web

from adapters.accounts import passwords
from adapters.accounts.errors import AccessRefusedError
from adapters.accounts.login import Login, TooManyError
from adapters.accounts.model import IDENTITY, Role
from adapters.accounts.records import Account
from adapters.http.doors import DOORS
from adapters.panel.identity import COOKIE, FIELD, LOGIN, identity_of, is_own
from adapters.panel.routes import Route
from telephony.errors import BagvagtError

FORM_COOKIE: Final = f"{COOKIE}-form"
MARK_COOKIE: Final = f"{COOKIE}-known"
MARK_LASTS_S: Final = 90 * 86_400
LOAD_WITHIN_S: Final = 5.0
HOME: Final = "/panel/"
FIRST: Final = "/panel/login"
_LOCAL: Final = re.compile(r"/panel(?:/[A-Za-z0-9_~.%?&=-]+)+/?")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_SCREENS: Final = (
    (Role.AGENT, "/panel/agent"),
    (Role.CHIEF, "/panel/duty"),
    (Role.BACKUP, "/panel/duty"),
    (Role.ADMIN, "/panel/admin"),
    (Role.AUDITOR, "/panel/admin"),
)


class Page(Protocol):
    """Draws a page; fits `adapters.panel.pages.Pages.page`."""

    def __call__(self, request: web.Request, template: str, status: int = 200, **context: Any) -> web.Response:
        """Return the page."""
        ...


class LoginPages:
    """The pages of this side.

    Args:
        page: draws one.
    """

    def __init__(self, page: Page) -> None:
        self._page = page

    def routes(self) -> tuple[Route, ...]:
        """Return the routes; none of them is part of the API."""
        return (
            Route("GET", HOME, self.home, "The screen of the role"),
            Route("GET", FIRST, self.login, "The login"),
            Route("POST", FIRST, self.log_in, "Log in"),
            Route("POST", "/panel/logout", self.log_out, "Log out"),
            Route("GET", "/panel/setup", self.setup, "The form of a one-time link"),
            Route("POST", "/panel/setup", self.set_up, "Set a password by a one-time link"),
            Route("GET", "/panel/password", self.password, "The form for another password"),
            Route("POST", "/panel/password", self.change_password, "Set another password"),
        )

    async def home(self, request: web.Request) -> web.Response:
        """Send the browser to the first screen of its roles."""
        roles = identity_of(request).roles
        return see(next(path for role, path in _SCREENS if role in roles))

    # By password.

    async def login(self, request: web.Request) -> web.Response:
        """Send the form; who is logged in already goes on."""
        then = local(request.query.get("next", ""))
        if IDENTITY in request:
            return see(then)
        return self.first(request, then=then, problem="bye" if "bye" in request.query else "")

    async def log_in(self, request: web.Request) -> web.Response:
        """Open a session for the right name and password."""
        login, form = request.app[LOGIN], await _fields(request)
        then = local(form.get("next", ""))
        if not is_meant(request, form):
            return self.first(request, 403, then=then, problem="form")
        mark = request.cookies.get(MARK_COOKIE, "")
        name, address = form.get("name", ""), request.remote or ""
        try:
            account = await login.with_password(name, form.get("password", ""), address, mark)
        except TooManyError as error:
            return self._wait(self.first(request, 429, then=then, problem="wait", name=name), error)
        if account is None:
            return self.first(request, 403, then=then, problem="wrong", name=name)
        return open_session(request, account, "password", then)

    def first(self, request: web.Request, status: int = 200, **context: Any) -> web.Response:
        """Return the login page."""
        login = request.app[LOGIN]
        is_safe = is_private(request)
        context = {"then": HOME, "problem": "", "name": "", **context}
        sign_on = {"has_sign_on": login.sign_on is not None, "label": login.sign_on.label if login.sign_on else ""}
        return self._form(
            request, "login.html", status if is_safe else 403, is_safe=is_safe, address=login.url, **sign_on, **context
        )

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session. At the provider of single sign-on it goes on, unless somebody ends it there too."""
        login, identity = request.app[LOGIN], identity_of(request)
        login.sessions.forget(identity.session)
        login.audit(identity.name, "logout", identity.name, request.remote or "")
        answer = see(f"{FIRST}?bye")
        drop_cookie(answer, COOKIE)
        return answer

    # By one-time link.

    async def setup(self, request: web.Request) -> web.Response:
        """Send the form of a link that may still be used."""
        login, secret = request.app[LOGIN], request.query.get("token", "")
        wait_s = login.attempts.take_link(request.remote or "")
        if wait_s:
            return self._wait(self._setup(request, secret, 429, problem="wait"), TooManyError(wait_s))
        try:
            invitation = await login.invitations.look(secret)
        except BagvagtError:
            return self._setup(request, secret, 503, problem="store")
        if invitation is None:
            return self._setup(request, secret, 404, problem="link-void")
        return self._setup(request, secret, name=invitation.account, is_first=not invitation.account)

    async def set_up(self, request: web.Request) -> web.Response:
        """Set the password, and open a session."""
        login, form = request.app[LOGIN], await _fields(request)
        secret, name = form.get("token", ""), form.get("name", "")
        again: dict[str, Any] = {"name": name, "is_first": form.get("first") == "yes"}
        if not is_private(request) or not is_meant(request, form):
            return self._setup(request, secret, 403, problem="form", **again)
        if form.get("password") != form.get("again"):
            return self._setup(request, secret, 422, problem="password-differs", **again)
        try:
            account = await login.redeem(secret, name, form.get("password", ""), request.remote or "")
        except TooManyError as error:
            return self._wait(self._setup(request, secret, 429, problem="wait", **again), error)
        except AccessRefusedError as error:
            return self._setup(request, secret, 422, problem=error.code, **again)
        except BagvagtError:
            return self._setup(request, secret, 503, problem="store", **again)
        return open_session(request, account, "link", HOME)

    def _setup(self, request: web.Request, secret: str, status: int = 200, **context: Any) -> web.Response:
        is_safe = is_private(request)
        context = {"problem": "", "name": "", "is_first": False, **context}
        more = {"is_safe": is_safe, "token": secret, "shortest": passwords.SHORTEST}
        return self._form(request, "setup.html", status if is_safe else 403, **more, **context)

    # Another password.

    async def password(self, request: web.Request) -> web.Response:
        """Send the form."""
        return self._password(request)

    async def change_password(self, request: web.Request) -> web.Response:
        """Set another password; every session ends, and one begins here."""
        login, form, identity = request.app[LOGIN], await _fields(request), identity_of(request)
        mark, address = request.cookies.get(MARK_COOKIE, ""), request.remote or ""
        if form.get("password") != form.get("again"):
            return self._password(request, 422, problem="password-differs")
        try:
            account = await login.with_password(identity.name, form.get("current", ""), address, mark)
            if account is None:
                return self._password(request, 403, problem="wrong")
            await login.change_password(account, form.get("password", ""), identity.name, address)
        except TooManyError as error:
            return self._wait(self._password(request, 429, problem="wait"), error)
        except AccessRefusedError as error:
            return self._password(request, 422, problem=error.code)
        except BagvagtError:
            return self._password(request, 503, problem="store")
        return open_session(request, login.accounts.get(account.name), "password", HOME)

    def _password(self, request: web.Request, status: int = 200, problem: str = "") -> web.Response:
        has_one = bool(request.app[LOGIN].accounts.get(identity_of(request).name).password_hash)
        context = {"problem": problem, "has_one": has_one, "shortest": passwords.SHORTEST}
        return self._page(request, "password.html", status, **context)

    def _form(self, request: web.Request, template: str, status: int, **context: Any) -> web.Response:
        """Return a page whose form is sent without a session."""
        secret = request.cookies.get(FORM_COOKIE, "") or secrets.token_urlsafe(32)
        answer = self._page(request, template, status, form_csrf=secret, **context)
        set_cookie(answer, FORM_COOKIE, secret, samesite="Strict")
        return answer

    @staticmethod
    def _wait(answer: web.Response, error: TooManyError) -> web.Response:
        answer.headers["Retry-After"] = str(int(error.wait_s) + 1)
        return answer


def add_login(app: web.Application, login: Login, say: Callable[[str], None]) -> None:
    """Let an application log people in; its middleware is `adapters.panel.identity.who_may`.

    Args:
        app: with `DOORS`.
        login: who may; read while the application runs.
        say: told the first admin's one-time link.
    """
    app[LOGIN] = login
    app[DOORS].access.issued = login.phone_tokens.in_force

    async def running(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(login.run(say), name="login")
        # Screens that come back after a restart are to find their sessions; keys do not wait for long.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOAD_WITHIN_S):
                await login.loaded.wait()
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(running)


def open_session(request: web.Request, account: Account, how: str, then: str) -> web.Response:
    """Open a session and send the browser on. The one before it ends: its token may be known to somebody else."""
    login: Login = request.app[LOGIN]
    before = login.sessions.find(request.cookies.get(COOKIE, ""))
    if before is not None:
        login.sessions.forget(before.id)
    browser = request.headers.get("User-Agent", "")
    token, _ = login.sessions.start(account.name, how, request.remote or "", browser)
    login.audit(account.name, f"login: {how}", account.name, request.remote or "")
    answer = see(then)
    set_cookie(answer, COOKIE, token)
    set_cookie(answer, MARK_COOKIE, login.attempts.mark(account.name), samesite="Strict", max_age=MARK_LASTS_S)
    drop_cookie(answer, FORM_COOKIE)
    return answer


def is_private(request: web.Request) -> bool:
    """Tell whether nobody between reads along: TLS, here or at a proxy, or the same machine."""
    if request.secure or f"https://{request.host.lower()}" == request.app[LOGIN].url:
        return True
    return request.url.host in _LOOPBACK and request.remote in _LOOPBACK


def is_meant(request: web.Request, form: dict[str, str]) -> bool:
    """Tell whether a form without a session comes from our own page, in this browser."""
    cookie, field = request.cookies.get(FORM_COOKIE, ""), form.get(FIELD, "")
    same = bool(cookie) and hmac.compare_digest(cookie.encode(errors="replace"), field.encode(errors="replace"))
    return is_private(request) and same and is_own(request, request.app[LOGIN].url)


def local(path: str) -> str:
    """Return where somebody wanted to go, if that is one of our screens."""
    return path if _LOCAL.fullmatch(path) and not path.startswith(FIRST) else HOME


def see(path: str) -> web.Response:
    """Send a browser to another page, by GET."""
    return web.Response(status=303, headers={"Location": path})


def set_cookie(
    answer: web.Response, name: str, value: str, *, samesite: str = "Lax", max_age: int | None = None
) -> None:
    """Set a cookie that only this host over a private connection gets back, and no script reads."""
    answer.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite=samesite)


def drop_cookie(answer: web.Response, name: str) -> None:
    """Take a cookie away."""
    answer.del_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")


async def _fields(request: web.Request) -> dict[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
