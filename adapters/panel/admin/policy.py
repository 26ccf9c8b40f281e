"""The policy in force, over the API."""

from typing import Final

from aiohttp import web

from adapters.panel.admin.doors import ADMIN
from adapters.panel.admin.loads import PolicyPicture
from adapters.panel.identity import identity_of
from adapters.panel.routes import SESSION, Route, answer


def of_request(request: web.Request) -> PolicyPicture:
    """Return the policy as who asks may see it."""
    admin = request.app[ADMIN]
    return admin.loads.picture(None if admin.sees_names(identity_of(request)) else admin.pseudonyms)


async def policy(request: web.Request) -> web.Response:
    """Send the policy in force."""
    return answer(of_request(request))


ROUTES: Final = (
    Route(
        "GET",
        "/v1/policy",
        policy,
        "The policy in force, and what came of the last reload",
        response_model=PolicyPicture,
        proof=(SESSION,),
    ),
)
