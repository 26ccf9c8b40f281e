"""What the API says of this side: every route with its models, so that a program can be written against it."""

from pathlib import Path

from adapters.accounts.model import Role
from adapters.panel.admin import routes
from adapters.panel.admin.pages import HOME, TABS
from tests.adapters.panel.admin.desk import desk


async def test_every_route_of_the_api_is_described(tmp_path: Path) -> None:
    """With its answer's model, and its body's where it has one."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, document = await admin.get("/v1/openapi.json")
        described = [r for part in routes.API for r in part.ROUTES]
        assert len(described) >= 14
        for route in described:
            operation = document["paths"][route.path][route.method.lower()]
            assert route.response_model is not None
            answer = operation["responses"][str(route.status)]["content"]
            assert answer[route.media]["schema"]["$ref"].endswith(f"/{route.response_model.__name__}")
            assert ("requestBody" in operation) == (route.request_model is not None)


async def test_every_screen_opens_for_an_admin_in_every_language(tmp_path: Path) -> None:
    """No text is missing that a template needs."""
    async with desk(tmp_path) as d:
        for language in ("da", "sv", "fi", "nb", "en"):
            admin = await d.of(Role.ADMIN, name=f"admin-{language}", language=language)
            for tab in ("", *(f"/{name}" for name, _ in TABS)):
                assert f'<html lang="{language}"' in await admin.page(f"{HOME}{tab}")
