"""Accounts, tokens and sessions over the API. An admin has them all, everybody has their own sessions."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final

from aiohttp import web

from adapters.accounts import api_models as m
from adapters.accounts.accounts import account_name
from adapters.accounts.errors import AccessRefusedError, NoSuchError
from adapters.accounts.invitations import LASTS, link
from adapters.accounts.model import Identity, Role
from adapters.accounts.records import Account
from adapters.http.access import TokenKind
from adapters.http.problems import problem
from adapters.panel.identity import LOGIN, identity_of
from adapters.panel.routes import SESSION, Route, answer, body_of
from adapters.store.errors import StoreError

Do = Callable[[web.Request, Identity], Awaitable[web.Response]]
_GONE = "There is none, or not any more."
_REFUSED = "It cannot be done; the problem's type says why."
_STORE = "`store`: it was not written."


def _refusals(do: Do) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Turn what is refused into problems."""

    @wraps(do)
    async def handler(request: web.Request) -> web.Response:
        try:
            return await do(request, identity_of(request))
        except NoSuchError as error:
            return problem(404, error.code, error.words)
        except AccessRefusedError as error:
            return problem(409, error.code, error.words)
        except StoreError:
            return problem(503, "store", "The store does not take it; try again")

    return handler


# Accounts.


@_refusals
async def accounts(request: web.Request, _by: Identity) -> web.Response:
    """Send every account."""
    found = request.app[LOGIN].accounts.all()
    return answer(m.AccountList(accounts=[m.AccountPicture.of(account) for account in found]))


@_refusals
async def add_account(request: web.Request, by: Identity) -> web.Response:
    """Add an account."""
    wanted = await body_of(request, m.NewAccount)
    if isinstance(wanted, web.Response):
        return wanted
    fields = {**wanted.model_dump(), "name": account_name(wanted.name)}
    login = request.app[LOGIN]
    account = Account(**fields, created_at=login.clock.now())
    made = await login.accounts.add(by.name, request.remote or "", account)
    return answer(m.AccountPicture.of(made), 201)


@_refusals
async def change_account(request: web.Request, by: Identity) -> web.Response:
    """Change what is given of an account."""
    wanted = await body_of(request, m.AccountChange)
    if isinstance(wanted, web.Response):
        return wanted
    login, name = request.app[LOGIN], request.match_info["account"]
    fields = wanted.model_dump(exclude_none=True)
    if "subject" in fields:
        if login.sign_on is None:
            raise AccessRefusedError("no-sso", "There is no single sign-on here")
        subject = fields["subject"] or None
        fields |= {"subject": subject, "issuer": login.sign_on.provider.config.issuer if subject else None}
    changed = await login.accounts.change(by.name, request.remote or "", name, **fields)
    return answer(m.AccountPicture.of(changed))


@_refusals
async def remove_account(request: web.Request, by: Identity) -> web.Response:
    """Forget an account."""
    await request.app[LOGIN].accounts.remove(by.name, request.remote or "", request.match_info["account"])
    return web.Response(status=204)


@_refusals
async def invite(request: web.Request, by: Identity) -> web.Response:
    """Make a one-time link with which somebody sets a password."""
    login, name = request.app[LOGIN], request.match_info["account"]
    until = login.clock.now() + LASTS
    secret = await login.invitations.make(name)
    login.audit(by.name, "link_made", name, request.remote or "")
    made = m.InvitationPicture(account=name, link=link(login.url or login.address, secret), until=until)
    return answer(made, 201)


# Tokens.


@_refusals
async def phone_tokens(request: web.Request, _by: Identity) -> web.Response:
    """Send every token, without its secret."""
    found = request.app[LOGIN].phone_tokens.all()
    return answer(m.PhoneTokenList(tokens=[m.PhoneTokenPicture.of(token) for token in found]))


@_refusals
async def make_phone_token(request: web.Request, by: Identity) -> web.Response:
    """Make a token; the only time that its secret is told."""
    wanted = await body_of(request, m.NewPhoneToken)
    if isinstance(wanted, web.Response):
        return wanted
    issue = request.app[LOGIN].phone_tokens.issue
    secret, token = await issue(by.name, request.remote or "", TokenKind(wanted.kind), wanted.owner, wanted.name)
    return answer(m.MadePhoneToken(**m.PhoneTokenPicture.of(token).model_dump(), secret=secret), 201)


@_refusals
async def revoke_phone_token(request: web.Request, by: Identity) -> web.Response:
    """Let a token open nothing any more."""
    await request.app[LOGIN].phone_tokens.revoke(by.name, request.remote or "", request.match_info["token"])
    return web.Response(status=204)


# Sessions.


@_refusals
async def sessions(request: web.Request, by: Identity) -> web.Response:
    """Send the own sessions; an admin gets all."""
    found = request.app[LOGIN].sessions.of("" if Role.ADMIN in by.roles else by.name)
    return answer(m.SessionList(sessions=[m.SessionPicture.of(session, by.session) for session in found]))


@_refusals
async def end_session(request: web.Request, by: Identity) -> web.Response:
    """End one session: an own one, or as an admin anybody's."""
    login, id_ = request.app[LOGIN], request.match_info["session"]
    found = next((s for s in login.sessions.of("" if Role.ADMIN in by.roles else by.name) if s.id == id_), None)
    if found is None:
        raise NoSuchError("no-such-session", "No such session")
    login.audit(by.name, "session_ended", found.account, request.remote or "")
    await login.sessions.end(found.id)
    return web.Response(status=204)


@_refusals
async def end_sessions(request: web.Request, by: Identity) -> web.Response:
    """End every own session but this one; or as an admin all of an account."""
    login, account = request.app[LOGIN], request.query.get("account", "") or by.name
    if account != by.name and Role.ADMIN not in by.roles:
        return problem(403, "role", "This is not among what you may do")
    whose = login.accounts.get(account).name
    for session in login.sessions.of(whose):
        if session.id != by.session:
            login.sessions.forget(session.id)
    login.audit(by.name, "sessions_ended", whose, request.remote or "")
    await login.sessions.flush()
    return web.Response(status=204)


_OWN: Final = (SESSION,)
_WRITES: Final = {409: _REFUSED, 503: _STORE}
_BODY: Final = {415: "`not-json`", 422: "`not-valid`: what is wrong with the body."}

ROUTES: Final = (
    Route("GET", "/v1/accounts", accounts, "Every account", response_model=m.AccountList, proof=_OWN),
    Route(
        "POST",
        "/v1/accounts",
        add_account,
        "Add an account; its password is set by a one-time link",
        request_model=m.NewAccount,
        response_model=m.AccountPicture,
        status=201,
        proof=_OWN,
        problems={**_WRITES, **_BODY},
    ),
    Route(
        "PATCH",
        "/v1/accounts/{account}",
        change_account,
        "Change an account; sessions end that stood on what is changed",
        request_model=m.AccountChange,
        response_model=m.AccountPicture,
        proof=_OWN,
        problems={404: _GONE, **_WRITES, **_BODY},
    ),
    Route(
        "DELETE",
        "/v1/accounts/{account}",
        remove_account,
        "Forget an account; the audit trail keeps its name",
        status=204,
        proof=_OWN,
        problems={404: _GONE, **_WRITES},
    ),
    Route(
        "POST",
        "/v1/accounts/{account}/invitation",
        invite,
        "Make a one-time link with which the account's password is set",
        response_model=m.InvitationPicture,
        status=201,
        proof=_OWN,
        problems={404: _GONE, 503: _STORE},
    ),
    Route("GET", "/v1/phone-tokens", phone_tokens, "Every token", response_model=m.PhoneTokenList, proof=_OWN),
    Route(
        "POST",
        "/v1/phone-tokens",
        make_phone_token,
        "Make a token for a phone, a program or a person; its secret is told once",
        request_model=m.NewPhoneToken,
        response_model=m.MadePhoneToken,
        status=201,
        proof=_OWN,
        problems={503: _STORE, **_BODY},
    ),
    Route(
        "DELETE",
        "/v1/phone-tokens/{token}",
        revoke_phone_token,
        "Revoke a token",
        status=204,
        proof=_OWN,
        problems={404: _GONE, 503: _STORE},
    ),
    Route(
        "GET",
        "/v1/sessions",
        sessions,
        "The own sessions; all of them for an admin",
        response_model=m.SessionList,
        proof=_OWN,
    ),
    Route(
        "DELETE",
        "/v1/sessions",
        end_sessions,
        "End every own session but this one; for an admin, all of an account",
        status=204,
        proof=_OWN,
        problems={404: _GONE, 503: _STORE},
        query={"account": "whose, the own when left out"},
    ),
    Route(
        "DELETE",
        "/v1/sessions/{session}",
        end_session,
        "End one session",
        status=204,
        proof=_OWN,
        problems={404: _GONE, 503: _STORE},
    ),
)
