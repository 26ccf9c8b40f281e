"""Prompts: what is played, new recordings in place of it, and back; nobody who listens just then notices."""

import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from adapters.accounts.model import Role
from adapters.panel.admin.prompts import MOST_BYTES
from adapters.prompts.wav import read_samples
from tests.adapters.panel.admin.desk import POLICY, Desk, desk

WARNING = "/v1/prompts/da/warning"


def wav(seconds: float = 2.0, hz: float = 300.0, volume: float = 0.3, rate_hz: int = 8000) -> bytes:
    """Return a recording of something like a voice."""
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    sound = volume * np.sin(2 * np.pi * hz * at) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * at))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


async def heard(d: Desk, path: str = "/prompts/da/warning.wav") -> bytes:
    """Return what a PBX fetches."""
    async with aiohttp.ClientSession(d.base) as pbx, pbx.get(path) as answer:
        assert answer.status == 200
        return await answer.read()


async def test_every_language_has_its_list(tmp_path: Path) -> None:
    """Length, level, where it comes from, whether policy names it; and where it is heard."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, told = await admin.get("/v1/prompts")
        assert told["languages"] == ["da", "sv"]
        found = {(p["language"], p["name"]): p for p in told["prompts"]}
        warning = found["da", "warning"]
        assert (warning["origin"], warning["in_use"], warning["may_undo"]) == ("placeholder", True, False)
        assert 3 < warning["seconds"] < 15
        assert -22 < warning["level_dbfs"] < -18
        assert found["sv", "break-over"]["in_use"] is False
        assert len(await heard(d, warning["url"])) > 1000
        page = await admin.page("/panel/admin/prompts")
        assert f'src="{warning["url"]}"' in page
        assert "microphone=(self)" in (await admin.browser.get("/panel/admin/prompts"))[2].headers["Permissions-Policy"]


async def test_a_recording_takes_the_place_and_the_one_before_comes_back(tmp_path: Path) -> None:
    """Placeholder, first, second; back to the first, and forth again; who did it is in the audit trail."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        placeholder = await heard(d)
        status, first = await admin.send("PUT", WARNING, wav(2.0))
        assert (status, first["prompt"]["origin"], first["prompt"]["may_undo"]) == (200, "site", True)
        assert first["prompt"]["seconds"] == pytest.approx(2.0, abs=0.1)
        assert first["prompt"]["level_dbfs"] == pytest.approx(-20, abs=1)
        one = await heard(d)
        _, second = await admin.send("PUT", WARNING, wav(2.5, 500))
        two = await heard(d)
        assert len({placeholder, one, two}) == 3
        assert second["prompt"]["url"] != first["prompt"]["url"]
        assert (await admin.send("POST", f"{WARNING}/undo"))[0] == 200
        assert await heard(d) == one
        await admin.send("POST", f"{WARNING}/undo")
        assert await heard(d) == two
        assert [(by, what) for by, what, _, _ in d.said("prompt_")] == [
            ("admin", "prompt_replaced: da/warning"),
            ("admin", "prompt_replaced: da/warning"),
            ("admin", "prompt_undone: da/warning"),
            ("admin", "prompt_undone: da/warning"),
        ]


async def test_a_first_recording_gives_way_to_the_placeholder_and_comes_back(tmp_path: Path) -> None:
    """The site's own voice is not lost by trying the machine's."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        placeholder = await heard(d)
        await admin.send("PUT", WARNING, wav())
        own = await heard(d)
        _, undone = await admin.send("POST", f"{WARNING}/undo")
        assert (undone["origin"], undone["may_undo"]) == ("placeholder", True)
        assert await heard(d) == placeholder
        await admin.send("POST", f"{WARNING}/undo")
        assert await heard(d) == own


async def test_a_prompt_without_a_placeholder_is_never_undone_into_silence(tmp_path: Path) -> None:
    """A call that needs it would have nothing to play."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await admin.send("PUT", "/v1/prompts/da/short-warning", wav())
        status, refused = await admin.send("POST", "/v1/prompts/da/short-warning/undo")
        assert (status, refused["detail"]) == (422, "there is nothing to go back to")
        assert len(await heard(d, "/prompts/da/short-warning.wav")) > 1000


async def test_who_hears_the_old_one_hears_it_to_its_end(tmp_path: Path) -> None:
    """A PBX in the middle of fetching gets the whole old file, while the next one gets the new."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        long = wav(50.0)
        (tmp_path / "prompts" / "da").mkdir()
        (tmp_path / "prompts" / "da" / "warning.wav").write_bytes(long)
        pbx = aiohttp.ClientSession(d.base, read_bufsize=1024)
        async with pbx, pbx.get("/prompts/da/warning.wav") as answer:
            begun = await answer.content.read(1000)
            status, _ = await admin.send("PUT", WARNING, wav(2.0, 700))
            assert status == 200
            assert begun + await answer.content.read() == long
        assert len(await heard(d)) < len(long) / 10


async def test_what_a_listener_would_complain_of_is_said(tmp_path: Path) -> None:
    """Usable, with warnings: what was cut, and that it was very quiet."""
    silence, sound = b"\0" * 16000, wav(2.0, volume=0.01)[44:]
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        body = io.BytesIO()
        with wave.open(body, "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(silence + sound)
        status, made = await admin.send("PUT", WARNING, body.getvalue())
        assert status == 200
        assert made["gain_db"] > 20
        assert made["trimmed_s"] == pytest.approx(1.0, abs=0.1)
        assert any("very quiet" in warning for warning in made["warnings"])


async def test_what_is_played_late_or_too_quiet_is_remarked(tmp_path: Path) -> None:
    """A file that was copied into the folder by hand was not levelled, and has silence in front."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        (tmp_path / "prompts" / "da").mkdir()
        with wave.open(str(tmp_path / "prompts" / "da" / "warning.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(b"\0" * 16000 + wav(2.0, volume=0.02)[44:])
        (tmp_path / "prompts" / "da" / "closing.wav").write_bytes(b"RIFF")
        _, told = await admin.get("/v1/prompts")
        found = {(p["language"], p["name"]): p for p in told["prompts"]}
        assert found["da", "warning"]["remarks"] == ["quiet", "late"]
        assert found["da", "warning"]["lead_in_s"] == pytest.approx(1.0, abs=0.02)
        damaged = found["da", "closing"]
        assert (damaged["origin"], damaged["url"]) == ("damaged", "")
        assert damaged["problem"]
        assert damaged["remedy"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (WARNING, b"this is no sound", 422, "not-usable"),
        (WARNING, b"", 422, "not-usable"),
        (WARNING, wav(0.2), 422, "not-usable"),
        (WARNING, wav(2.0, volume=0.0), 422, "not-usable"),
        ("/v1/prompts/fi/warning", wav(), 404, "no-such-prompt"),
        ("/v1/prompts/da/..%2Fwarning", wav(), 404, "no-such-prompt"),
        ("/v1/prompts/da/Warning", wav(), 404, "no-such-prompt"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_changes_nothing(
    tmp_path: Path, path: str, body: bytes, status: int, code: str
) -> None:
    """With a remedy, and without the place where the file stood meanwhile."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        before = await heard(d)
        answered, refused = await admin.send("PUT", path, body)
        assert (answered, refused["type"]) == (status, f"urn:bagvagt:problem:{code}")
        assert refused["remedy"]
        assert "tmp" not in str(refused)
        assert await heard(d) == before
        assert list((tmp_path / "prompts").rglob("*")) == []
        assert d.said("prompt_") == []


async def test_without_a_folder_it_says_what_to_write_into_the_policy(tmp_path: Path) -> None:
    """On the screen, and as the answer of the API."""
    async with desk(tmp_path, POLICY.replace('folder = "prompts"\n', "")) as d:
        admin = await d.of(Role.ADMIN)
        status, refused = await admin.send("PUT", WARNING, wav())
        assert (status, refused["type"]) == (409, "urn:bagvagt:problem:no-folder")
        assert 'folder = "prompts"' in refused["remedy"]
        page = await admin.page("/panel/admin/prompts")
        assert "folder = &#34;prompts&#34;" in page or 'folder = "prompts"' in page
        assert "data-record" not in page


async def test_a_recording_replaces_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails while it is put in place, the one before is in use, and can still be gone back from."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        await admin.send("PUT", WARNING, wav(2.0))
        await admin.send("PUT", WARNING, wav(2.2, 400))
        one, folder = await heard(d), tmp_path / "prompts" / "da"
        before = {f.name: f.read_bytes() for f in folder.iterdir()}

        def fails(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("adapters.prompts.wav.os.fsync", fails)
        status, refused = await admin.send("PUT", WARNING, wav(2.4, 600))
        assert (status, refused["type"]) == (422, "urn:bagvagt:problem:not-usable")
        assert await heard(d) == one
        assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
        assert read_samples(folder / "warning.wav").size > 8000


async def test_a_minute_of_studio_sound_is_let_through_and_an_evening_is_not(tmp_path: Path) -> None:
    """Far more than any other request may bring; too much is refused before it is read, or while it is."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        studio = wav(50.0, rate_hz=96_000)
        assert len(studio) > 9_000_000
        status, made = await admin.send("PUT", WARNING, studio)
        assert (status, made["prompt"]["seconds"]) == (200, pytest.approx(50.0, abs=0.2))
        before = await heard(d)
        too_much = b"RIFF" + b"\0" * MOST_BYTES
        assert (await admin.send("PUT", WARNING, too_much))[0] == 413

        async def unannounced() -> AsyncIterator[bytes]:
            for start in range(0, len(too_much), 1 << 20):
                yield too_much[start : start + (1 << 20)]

        headers = {"X-CSRF-Token": admin.csrf, "Origin": d.base}
        status, _, _ = await admin.browser.ask("PUT", WARNING, data=unannounced(), headers=headers)
        assert status == 413
        assert await heard(d) == before
