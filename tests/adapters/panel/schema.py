"""Holds a running API against its document, by schemathesis."""

import asyncio
import json
import sys
from pathlib import Path

NOT_STREAMS = r"stream$|^/v1/sessions.+"  # one never ends; the other ends the session that asks


def _settings(base: str, cookie: str, csrf: str, found: dict[str, str]) -> str:
    """Return schemathesis' own configuration, which is TOML; a JSON string is a TOML string."""

    def table(values: dict[str, str]) -> str:
        return "{ " + ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in values.items()) + " }"

    headers = table({"X-CSRF-Token": csrf, "Origin": base})
    proof = f"[auth.openapi.session]\napi_key = {json.dumps(cookie)}\n"
    return f"headers = {headers}\nparameters = {table(found)}\n{proof}"


async def held(
    folder: Path, base: str, cookie: str, csrf: str, found: dict[str, str], paths: str, *, without: str = ""
) -> None:
    """Send right and wrong data, with and without a session, by right and wrong methods; nothing may be amiss.

    Args:
        folder: for schemathesis' own files.
        base: address of the service.
        cookie: of the session.
        csrf: of the session.
        found: values of path parameters that are there.
        paths: regular expression of the paths to look at.
        without: names of checks that are left out, with commas.
    """
    config = folder / "schemathesis.toml"
    config.write_text(_settings(base, cookie, csrf, found), encoding="utf-8")
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run"),
        *("--checks", "all", "--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1"),
        *("--include-path-regex", paths, "--exclude-path-regex", NOT_STREAMS, "--continue-on-failure"),
        *(("--exclude-checks", without) if without else ()),
        *("--generation-database", "none", f"{base}/v1/openapi.json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()
    assert b" passed" in said
