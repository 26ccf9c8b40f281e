"""Every route of the admin's side."""

from adapters.panel.admin import audit, dry_run, past_pages, pbx, policy, prompts, proofs, test_page
from adapters.panel.admin.pages import AdminPages
from adapters.panel.pages import Pages
from adapters.panel.routes import Route

API = (policy, dry_run, prompts, test_page, proofs, pbx, past_pages, audit)
"""The modules with routes of the API."""


def routes(pages: Pages) -> tuple[Route, ...]:
    """Return the routes of the API and of the screens; to be given to `adapters.panel.app.make_app`.

    Args:
        pages: draws.
    """
    return (*(route for part in API for route in part.ROUTES), *AdminPages(pages).routes())
