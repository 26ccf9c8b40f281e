"""The API's document, and the API held against it: schemathesis on a real server, as agent, chief and admin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.accounts.model import Role
from tests.adapters.panel.guarded import Browser, Guarded, guarded
from tests.adapters.panel.panel import by, panel
from tests.adapters.panel.schema import held

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "openapi.json"
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_the_document_in_docs_is_what_the_routes_say() -> None:
    """A change of the API shows in its document: scripts/openapi writes it."""
    command = (sys.executable, str(ROOT / "scripts/openapi"), "--check")
    said = subprocess.run(command, env=ENV, capture_output=True, check=False)
    assert said.returncode == 0, said.stderr


async def test_the_service_serves_the_same_document(tmp_path: Path) -> None:
    """What stands at /v1/openapi.json has every route of the API that is served."""
    async with guarded(tmp_path) as g:
        status, text, _ = await g.browser().get("/v1/openapi.json")
        assert status == 200
        served = {(m.upper(), path) for path, methods in json.loads(text)["paths"].items() for m in methods}
        routed = {
            (r.method, r.resource.canonical)
            for r in g.app.router.routes()
            if r.resource is not None and r.resource.canonical.startswith("/v1/")
        }
        assert served == routed - {("GET", "/v1/openapi.json")}


async def test_every_operation_is_named_once_and_says_how_to_prove_who_one_is() -> None:
    """Operation ids are unique; what is not open to everybody names a session, a token, or both, and its roles."""
    async with panel() as s:
        _, made = await s.ask("GET", "/v1/openapi.json", headers=by("nobody"))
    operations = {(m, path): o for path, methods in made["paths"].items() for m, o in methods.items()}
    ids = [o["operationId"] for o in operations.values()]
    assert len(ids) == len(set(ids))
    proofs = {place: [name for one in o["security"] for name in one] for place, o in operations.items()}
    assert proofs["post", "/v1/keys/{key}"] == ["session", "bearer"]
    assert proofs["get", "/v1/keys/{key}"] == ["urlToken"]
    assert proofs["get", "/v1/screens/duty"] == ["session"]
    assert all(proofs.values())
    assert operations["get", "/v1/screens/duty"]["description"] == "Roles: backup, chief."


async def prepared(g: Guarded, role: Role) -> tuple[Browser, dict[str, str]]:
    """Somebody of a role who has logged in, and what there is to be found: an acute call, its page, a break."""
    engine = g.site.service.engine
    agent = await g.of(Role.AGENT, agent="anna")
    await agent.ask("POST", "/v1/keys/suicide", headers={"X-CSRF-Token": await agent.csrf()})
    found = {"path.call": "c1", "path.page": next(iter(engine.state.pages)), "path.kind": "abuse"}
    browser = agent if role is Role.AGENT else await g.of(role, person="kim" if role is Role.CHIEF else "")
    return browser, found


ROLES = [
    (Role.AGENT, r"/v1/(me|keys|calls/current|screens)"),
    (Role.CHIEF, r"/v1/(screens|pages/|breaks|calls/.call)"),
    (Role.ADMIN, r"/v1/(accounts|phone-tokens|sessions)"),
]


@pytest.mark.parametrize(("role", "paths"), ROLES)
async def test_the_api_is_what_its_document_says(role: Role, paths: str, tmp_path: Path) -> None:
    """Right and wrong data, with and without a session, other methods: no 500, and nothing that is not described."""
    async with guarded(tmp_path, per_minute=10_000) as g:
        g.site.access._guesses.burst = 10**6  # it tries without a session, over and over
        browser, found = await prepared(g, role)
        await held(tmp_path, g.base, browser.cookie(), await browser.csrf(), found, paths)


def schemas() -> Any:
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))["components"]["schemas"]


def test_a_screen_in_the_document_has_every_field_of_an_answer() -> None:
    """A program may rely on them: they are required, also those with a default."""
    wanted = {"agent", "mood", "protection", "call", "break", "keys", "kinds", "over"}
    assert wanted <= set(schemas()["AgentScreen"]["required"])
    assert schemas()["Mark"]["required"] == ["kind"]
