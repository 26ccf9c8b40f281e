"""A policy file that changes while the service runs: all of it or nothing, and the old policy stays."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from policies.rules import Rules
from telephony.errors import ConfigError
from telephony.reload import PolicyFile
from telephony.settings import Settings, load
from tests.telephony.site_folder import SMALL, changed, site

Outcome = tuple[Settings, Rules] | ConfigError
PATIENCE_S = 20


class Watched:
    """A running `PolicyFile`, and what came of it."""

    def __init__(
        self, path: Path, *, running: Settings | None = None, quiet_s: float = 0.05, look_s: float = 0.2
    ) -> None:
        self.path = path
        self.came: asyncio.Queue[Outcome] = asyncio.Queue()
        self.file = PolicyFile(
            running or load(path),
            lambda settings, rules: self.came.put_nowait((settings, rules)),
            self.came.put_nowait,
            quiet_s=quiet_s,
            look_s=look_s,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Watched"]:
        """Watch meanwhile."""
        task = asyncio.create_task(self.file.run())
        yield self
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def write(self, text: str) -> None:
        """Replace the file as editors do: another file, moved over it."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    async def loaded(self) -> tuple[Settings, Rules]:
        """Return the next outcome, which must be a policy."""
        outcome = await asyncio.wait_for(self.came.get(), PATIENCE_S)
        assert not isinstance(outcome, ConfigError), outcome
        return outcome

    async def refused(self) -> ConfigError:
        """Return the next outcome, which must be a refusal."""
        outcome = await asyncio.wait_for(self.came.get(), PATIENCE_S)
        assert isinstance(outcome, ConfigError), outcome
        return outcome


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """A watched small policy, in a folder of its own."""
    folder = tmp_path / "etc"
    folder.mkdir()
    async with Watched(site(folder, SMALL)).running() as made:
        yield made


async def test_a_changed_file_is_the_new_policy(watched: Watched) -> None:
    """A new break length is in force without a restart, under a new version."""
    watched.write(changed(SMALL, "kinds.abuse", "break_s = 900"))
    settings, rules = await watched.loaded()
    assert rules.kinds["abuse"].break_s == 900
    assert rules.version == settings.origin.version
    assert settings.origin.warnings == ()


async def test_a_file_written_in_place_is_seen_too(watched: Watched) -> None:
    """Some editors write into the file itself."""
    watched.path.write_text(changed(SMALL, "kinds.abuse", "break_s = 901"))
    _, rules = await watched.loaded()
    assert rules.kinds["abuse"].break_s == 901


async def test_a_wrong_file_is_refused_whole_and_the_next_right_one_is_taken(watched: Watched) -> None:
    """Nothing of a file with one mistake is used; what is wrong is told with its line; mending it is enough."""
    wrong = changed(SMALL, "kinds.abuse", "break_s = 900").replace('kind = "abuse"', 'kind = "abuze"')
    watched.write(wrong)
    refusal = await watched.refused()
    assert [(m.key, m.line) for m in refusal.mistakes] == [
        ("keys.warn.kind", wrong.splitlines().index('kind = "abuze"') + 1)
    ]
    watched.write(changed(SMALL, "kinds.abuse", "break_s = 902"))
    _, rules = await watched.loaded()
    assert rules.kinds["abuse"].break_s == 902


async def test_a_deleted_file_is_a_refusal(watched: Watched) -> None:
    """The service goes on under the old policy; the file may come back, even as it was."""
    watched.path.unlink()
    assert "there is no such file" in str(await watched.refused())
    watched.write(SMALL)
    await watched.loaded()


async def test_a_replaced_folder_is_followed(watched: Watched) -> None:
    """Configuration tools replace whole folders; a watch on the old one would be deaf."""
    folder = watched.path.parent
    shutil.move(folder, folder.with_name("old"))
    assert "there is no such file" in str(await watched.refused())
    folder.mkdir()
    site(folder, changed(SMALL, "kinds.abuse", "break_s = 903"))
    outcome: Outcome = await asyncio.wait_for(watched.came.get(), PATIENCE_S)
    while isinstance(outcome, ConfigError):  # the folder may be seen before its files are all there
        outcome = await asyncio.wait_for(watched.came.get(), PATIENCE_S)
    assert outcome[1].kinds["abuse"].break_s == 903
    watched.write(changed(SMALL, "kinds.abuse", "break_s = 904"))
    _, rules = await watched.loaded()
    assert rules.kinds["abuse"].break_s == 904


async def test_the_watch_alone_tells_of_a_change(tmp_path: Path) -> None:
    """Replaced or written in place, a file is read at once, not only when it is looked at by the clock."""
    async with Watched(site(tmp_path, SMALL), look_s=3600).running() as watched:
        watched.file.request()
        await watched.loaded()  # the watch is up
        watched.write(changed(SMALL, "kinds.abuse", "break_s = 907"))
        assert (await watched.loaded())[1].kinds["abuse"].break_s == 907
        watched.path.write_text(changed(SMALL, "kinds.abuse", "break_s = 908"))
        assert (await watched.loaded())[1].kinds["abuse"].break_s == 908


async def test_a_burst_of_writes_is_one_change(tmp_path: Path) -> None:
    """An editor truncates, writes in pieces, renames: only what stands at the end is looked at, once."""
    end = changed(SMALL, "kinds.abuse", "break_s = 999")
    async with Watched(site(tmp_path, SMALL), quiet_s=2.0, look_s=0.02).running() as watched:
        for part in range(0, len(end), 100):
            watched.path.write_text(end[:part])
            await asyncio.sleep(0.1)  # an editor's pace, in which each piece is seen
        watched.write(end)
        _, rules = await watched.loaded()
        assert rules.kinds["abuse"].break_s == 999
        watched.file.request()  # whatever the burst left behind would come before this
        await watched.loaded()
        assert watched.came.empty()


async def test_neighbours_are_not_looked_at(watched: Watched) -> None:
    """The journal in the same folder changes all the time and is no reason to read the policy."""
    for number in range(20):
        (watched.path.parent / "bagvagt.sqlite3-wal").write_text(str(number))
    watched.write(SMALL)  # the same bytes: nothing to do either
    watched.file.request()
    await watched.loaded()
    assert watched.came.empty()


async def test_a_request_reads_a_file_that_has_not_changed(watched: Watched) -> None:
    """SIGHUP: prompts and secrets may have changed where the policy has not."""
    before = watched.file
    before.request()
    settings, _ = await watched.loaded()
    assert settings.origin.version == load(watched.path).origin.version


async def test_changed_tokens_are_a_change(tmp_path: Path) -> None:
    """A token that was taken away must not work until the next restart."""
    text = changed(SMALL, "http", 'tokens_file = "secrets/tokens.toml"')
    token = '[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "' + "0" * 64 + '"\n'
    async with Watched(site(tmp_path, text)).running() as watched:
        (tmp_path / "secrets" / "tokens.toml").write_text(token)
        settings, _ = await watched.loaded()
        assert [t.name for t in settings.origin.tokens] == ["a"]


async def test_what_needs_a_restart_is_kept_and_said(watched: Watched) -> None:
    """Another PBX, store or port stays as it was, with a warning at its line; the rest of the file is in force."""
    text = changed(SMALL, "pbx", 'kind = "simulator"\nhost = "192.0.2.1"')
    text = changed(text, "store", 'path = "other.sqlite3"')
    text = changed(text, "http", "port = 9999\npresses_per_minute = 7")
    text = changed(text, "kinds.abuse", "break_s = 905")
    text = changed(text, "voice", "ring_s = 41")
    text = changed(text, "heartbeat", "every_s = 30")
    watched.write(text)
    settings, rules = await watched.loaded()
    assert settings.heartbeat is not None
    assert (settings.voice.ring_s, settings.heartbeat.every_s) == (30, 60)
    assert (settings.pbx.host, settings.store.path, settings.http.port) == ("127.0.0.1", "bagvagt.sqlite3", 8480)
    assert settings.http.presses_per_minute == 7
    assert rules.kinds["abuse"].break_s == 905
    said = {m.key: (m.severity, m.message, m.line) for m in settings.origin.warnings}
    assert set(said) == {"pbx", "store", "http.port", "voice", "heartbeat"}
    assert all(severity == "warning" and "needs a restart" in words for severity, words, _ in said.values())
    assert text.splitlines()[(said["http.port"][2] or 0) - 1] == "port = 9999"


async def test_a_secret_that_was_rotated_is_said_to_need_a_restart(tmp_path: Path) -> None:
    """The file's name is the same, what it holds is not; whoever rotates it after a leak must not think it is done."""
    text = changed(
        SMALL, "sms.gateway", 'url = "https://sms.example/{to}/{text}"\nheaders_file = "secrets/sms-headers"'
    )
    async with Watched(site(tmp_path, text)).running() as watched:
        (tmp_path / "secrets" / "sms-headers").write_text("Authorization: Bearer another\n")
        watched.file.request()
        settings, _ = await watched.loaded()
        (told,) = [m for m in settings.origin.warnings if m.key == "sms.gateway.headers_file"]
        assert "restart" in told.message
        assert "another" not in str(told)


async def test_a_new_code_is_in_force_once_the_pbx_knows_it(watched: Watched) -> None:
    """The PBX has the codes in its own files; a new one is taken, and said to need the PBX's files made anew."""
    watched.write(changed(SMALL, "keys.warn", 'code = "*92"'))
    settings, _ = await watched.loaded()
    (warning,) = settings.origin.warnings
    assert (warning.key, warning.severity) == ("keys.warn", "warning")
    assert "pbx-config" in warning.remedy


async def test_a_change_between_loading_and_watching_is_not_lost(tmp_path: Path) -> None:
    """What counts as known is what was loaded, not what stood there when the watch began."""
    path = site(tmp_path, SMALL)
    running = load(path)
    path.write_text(changed(SMALL, "kinds.abuse", "break_s = 906"))
    async with Watched(path, running=running).running() as watched:
        assert (await watched.loaded())[1].kinds["abuse"].break_s == 906
