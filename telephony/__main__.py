"""The command `bagvagt`. The running service is put together in `telephony.wiring`."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import typer

from telephony.errors import BagvagtError, ConfigError, Mistake
from telephony.logs import log_json, log_warnings

if TYPE_CHECKING:
    from adapters.calendars.calendars import Calendars
    from telephony.settings import Settings

app = typer.Typer(
    name="bagvagt",
    help="Stands behind the people who answer the phone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
prompts_app = typer.Typer(help="What callers hear.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True)
account_app = typer.Typer(help="Who may log in to the panel.", no_args_is_help=True)
app.add_typer(account_app, name="account")
app.add_typer(prompts_app, name="prompts")
app.add_typer(audit_app, name="audit")

T = TypeVar("T")
out = typer.echo
err = partial(typer.echo, err=True)

File = Annotated[Path, typer.Argument(help="The policy file.", envvar="BAGVAGT_CONFIG", show_default=False)]
Config = Annotated[
    Path, typer.Option("--config", "-c", help="The policy file.", envvar="BAGVAGT_CONFIG", show_default=False)
]
Server = Annotated[str, typer.Option(help="Address of the running service.", envvar="BAGVAGT_URL")]
SecretFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with the token; else BAGVAGT_TOKEN is read.")
]


# The service.


@app.command()
def run(file: File, log_level: Annotated[str, typer.Option(help="DEBUG, INFO or WARNING.")] = "INFO") -> None:
    """Run the service."""
    from telephony.wiring import serve

    log_json(log_level.upper())
    try:
        asyncio.run(serve(file))
    except BagvagtError as error:
        _give_up(error)
    except KeyboardInterrupt:
        return


@app.command()
def demo(
    pace: Annotated[float, typer.Option(help="How fast: 1 is about two minutes, 10 ten times as fast.")] = 1.0,
    *,
    play: Annotated[bool, typer.Option("--play", help="Leave the shift out: the keys are yours at once.")] = False,
) -> None:
    """Show a shift on a simulated PBX, on this terminal; then the keys are yours."""
    import sys

    from adapters.demo import show

    try:
        asyncio.run(show(pace, play=play, take_keys=sys.stdin.isatty() and sys.stdout.isatty()))
    except BagvagtError as error:
        _give_up(error)
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, or told to end; the terminal was put back
        raise typer.Exit(130) from None


# Policy.


@app.command()
def check(file: File) -> None:
    """Say everything that is wrong with a policy file: line, key, remedy; and who will be missing on call."""
    from adapters.from_settings import prompts_missing
    from telephony.gaps import doubts
    from telephony.settings import check as look
    from telephony.settings import load, rules

    found = list(look(file, prompts_missing))
    if not any(m.severity == "error" for m in found):
        settings = load(file, prompts_missing)
        calendars = _calendars(settings)
        found += [*calendars.doubts(), *doubts(settings, calendars.into(rules(settings)), datetime.now(UTC))]
    for mistake in found:
        (err if mistake.severity == "error" else out)(_mistake(file, mistake))
    errors = sum(m.severity == "error" for m in found)
    if errors:
        err(f"{file}: {errors} mistake{'s' if errors > 1 else ''}; this policy would not be loaded.")
        raise typer.Exit(1)
    out(f"{file}: fine{f', with {len(found)} doubts' if found else ''}.")


@app.command()
def explain(
    config: Config,
    agent: Annotated[str, typer.Option(help="Who presses.")],
    key: Annotated[str, typer.Option(help="A key's name, or warn, end, flag, colleague, chief, back.")],
    kind: Annotated[str, typer.Option(help="Kind of the call.")] = "",
    at: Annotated[str, typer.Option(help="Local time, as 2027-03-28T02:30; now when left out.")] = "",
    warned: Annotated[int | None, typer.Option(help="How many warnings the caller has heard.")] = None,
    since: Annotated[float | None, typer.Option(help="Seconds since the last of them.")] = None,
) -> None:
    """Say what a key would do, and which rule says so."""
    from adapters.from_settings import prompts_missing
    from telephony.explain import explain as tell
    from telephony.settings import load

    when = _time(at)
    try:
        settings = load(config, prompts_missing)
        into = _calendars(settings, read_at=when).into
        told = tell(settings, agent, kind, key, when, warned=warned, since_warning_s=since, into=into)
    except BagvagtError as error:
        _give_up(error)
    out("\n".join(told.lines()))


@app.command()
def who(
    config: Config,
    at: Annotated[str, typer.Option(help="Local time, as 2027-03-28T02:30; now when left out.")] = "",
    plan: Annotated[str, typer.Option(help="Only this plan of [pages].")] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="How far ahead to look for changes and gaps.")] = 30,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say who would be reached: on which rung, how, when; and who is on call next."""
    from telephony.settings import load, rules
    from telephony.who import who as tell

    when = _time(at)
    try:
        settings = load(config)
        told = tell(_calendars(settings, read_at=when).into(rules(settings)), when, plan=plan, days=days)
    except BagvagtError as error:
        _give_up(error)
    out(told.json() if as_json else "\n".join(told.lines()))


@app.command()
def report(
    config: Config,
    since: Annotated[str, typer.Option(help="Local time, as 2027-03-28; 30 days before the end when left out.")] = "",
    until: Annotated[str, typer.Option(help="Local time, as 2027-04-28; now when left out.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say how long people waited until a page was taken, by step and hour; drills apart, and no names."""
    from adapters.from_settings import store_url
    from adapters.panel.past import MOST_COUNTED, Span, read_some
    from telephony.report import report as figures
    from telephony.settings import load

    try:
        settings = load(config)
        zone = ZoneInfo(settings.site.zone)
        ends = _local(_time(until, "--until"), zone)
        begins = _local(_time(since, "--since"), zone) if since else ends - timedelta(days=30)
        if begins >= ends:
            raise typer.BadParameter("it is not after --since", param_hint="--until")
        pages, more = read_some(store_url(settings), Span(begins, ends))
    except BagvagtError as error:
        _give_up(error)
    if more:
        raise typer.BadParameter(f"there are more than {MOST_COUNTED} pages; take a shorter time", param_hint="--since")
    found = figures(pages, begins, ends, zone)
    out(found.json() if as_json else "\n".join(found.lines()))


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _time(text: str, option: str = "--at") -> datetime:
    try:
        return datetime.fromisoformat(text) if text else datetime.now().astimezone()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write it as 2027-03-28T02:30", param_hint=option) from None


def _calendars(settings: "Settings", *, read_at: datetime | None = None) -> "Calendars":
    """Return the rotas' calendars, for a command that only looks: as they are now, else the last good copies."""
    from adapters.calendars.calendars import Calendars
    from adapters.clock import SystemClock

    found = Calendars(settings, SystemClock(), keeps=False)
    asyncio.run(found.refresh())
    if read_at is not None:
        found.read(_local(read_at, ZoneInfo(settings.site.zone)))
    return found


# The PBX.


@app.command("pbx-config")
def pbx_config(
    pbx: Annotated[str, typer.Argument(help="Which PBX: asterisk.")],
    config: Config,
    folder: Annotated[
        Path | None, typer.Option(help="Write the files below this folder, instead of printing them.")
    ] = None,
) -> None:
    """Print what the PBX needs to work with Bagvagt."""
    from adapters.asterisk.from_settings import snippets
    from adapters.from_settings import prompts_missing
    from telephony.settings import load

    if pbx != "asterisk":
        raise typer.BadParameter(f"{pbx!r}: only asterisk is known", param_hint="PBX")
    try:
        files = snippets(load(config, prompts_missing))
    except BagvagtError as error:
        _give_up(error)
    for name, text in files.items():
        if folder is None:
            out(f"; ===== /etc/asterisk/{name}\n{text}")
        else:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o640)
            target.write_text(text, encoding="utf-8")
            out(str(target))


@app.command("pbx-check")
def pbx_check(config: Config) -> None:
    """Verify a running PBX against what Bagvagt needs; changes nothing."""
    from adapters.asterisk.from_settings import check_asterisk
    from adapters.from_settings import prompts_missing
    from telephony.settings import load

    try:
        findings = asyncio.run(check_asterisk(load(config, prompts_missing)))
    except BagvagtError as error:
        _give_up(error)
    for finding in findings:
        out(f"{finding.severity}: {finding.what}")
        if finding.remedy:
            out(f"    {finding.remedy}")
    if any(f.severity == "error" for f in findings):
        raise typer.Exit(1)


# A running service.


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="The key's name in the policy.")],
    server: Server = "http://127.0.0.1:8480",
    token_file: SecretFile = None,
) -> None:
    """Press a key, for the agent whose token this is."""
    answer = _post(server, f"/v1/keys/{name}", _token(token_file))
    out(f"{str(answer['verdict']).replace('_', ' ')}: {answer['text']}")
    if answer["verdict"] != "accepted":
        raise typer.Exit(1)


@app.command()
def acknowledge(
    page: Annotated[str, typer.Argument(help="The page's id, as the message has it.")],
    server: Server = "http://127.0.0.1:8480",
    token_file: SecretFile = None,
) -> None:
    """Take a page: you have it, the others are told."""
    answer = _post(server, f"/v1/pages/{page}/acknowledge", _token(token_file))
    out(f"{page}: taken by {answer['acknowledged_by']}.")


def _token(file: Path | None) -> str:
    token = file.read_text(encoding="utf-8").strip() if file else os.environ.get("BAGVAGT_TOKEN", "")
    if not token:
        raise typer.BadParameter("set BAGVAGT_TOKEN, or name a file that holds the token", param_hint="--token-file")
    return token


def _post(server: str, path: str, token: str) -> dict[str, object]:
    from telephony.client import post

    try:
        return asyncio.run(post(server, path, token))
    except BagvagtError as error:
        _give_up(error)


# Prompts, audit.


@prompts_app.command("import")
def import_prompt(
    file: Annotated[Path, typer.Argument(help="Any audio file: WAV, FLAC, OGG, MP3, AIFF.")],
    config: Config,
    name: Annotated[str, typer.Option(help="The prompt's name, as warning.")],
    language: Annotated[str, typer.Option(help="Two letters.")],
) -> None:
    """Convert a recording to what PBXs play, levelled, into the policy's prompt folder."""
    from adapters.prompts.convert import import_prompt as convert
    from adapters.prompts.errors import PromptError
    from telephony.settings import load

    try:
        settings = load(config)
        if not settings.prompts.folder:
            err(f"{config}: prompts.folder names no folder for your recordings; add it.")
            raise typer.Exit(1)
        made = convert(file, name, language, settings.path(settings.prompts.folder))
    except (BagvagtError, PromptError) as error:
        _give_up(error)
    out(f"{made.path}: {made.duration_s:.1f} s, gain {made.gain_db:+.1f} dB, {made.trimmed_s:.1f} s of silence cut")
    for warning in made.warnings:
        out(f"  note: {warning}")


@audit_app.command("verify")
def audit_verify(
    config: Config,
    head: Annotated[str, typer.Option(help="The published head, COUNT:HASH, that the chain must reach.")] = "",
) -> None:
    """Read the whole audit chain and say whether it holds."""
    from adapters.from_settings import store_url
    from adapters.store.audit import verify
    from adapters.store.chain import Head
    from telephony.settings import load

    try:
        verified = verify(store_url(load(config)), Head.parse(head) if head else None)
    except ValueError:
        raise typer.BadParameter(f"{head!r} is not COUNT:HASH", param_hint="--head") from None
    except BagvagtError as error:
        _give_up(error)
    if verified.first_bad is not None:
        err(f"BROKEN at line {verified.first_bad}: {verified.why}")
        raise typer.Exit(1)
    out(f"{verified.count} lines, unbroken. Head {verified.head}")


# Accounts.

Name = Annotated[str, typer.Argument(help="Name of the account.")]


@account_app.command("add")
def add_account(
    name: Name,
    config: Config,
    role: Annotated[list[str], typer.Option(help="agent, backup, chief, admin or auditor; may be given again.")],
    agent: Annotated[str, typer.Option(help="Whose calls are theirs: the agent's id on the PBX.")] = "",
    person: Annotated[str, typer.Option(help=r"Their name under \[people].")] = "",
) -> None:
    """Add an account; prints the one-time link with which its password is set."""
    out(_account(config, lambda do, store, panel: do.add(store, panel, name, role, agent=agent, person=person)))


@account_app.command("invite")
def invite_account(name: Name, config: Config) -> None:
    """Print a one-time link with which an account sets another password."""
    out(_account(config, lambda do, store, panel: do.invited(store, panel, name)))


@account_app.command("disable")
def disable_account(
    name: Name, config: Config, *, undo: Annotated[bool, typer.Option("--undo", help="Let it log in again.")] = False
) -> None:
    """Let an account log in no more. A running service takes it in when it is reloaded."""
    _account(config, lambda do, store, _panel: do.disable(store, name, disabled=not undo))


@account_app.command("list")
def list_accounts(config: Config) -> None:
    """Print every account, with its roles."""
    for account in _account(config, lambda do, store, _panel: do.listed(store)):
        out(f"{account.name}: {', '.join(sorted(account.roles))}{' (disabled)' if account.disabled else ''}")


def _account(config: Path, do: Callable[[Any, str, str], T]) -> T:
    from adapters.accounts import command
    from adapters.accounts.from_settings import address_of
    from adapters.from_settings import store_url
    from telephony.settings import load

    try:
        settings = load(config)
        return do(command, store_url(settings), address_of(settings))
    except BagvagtError as error:
        _give_up(error)


@app.command("token")
def new_token() -> None:
    """Make a token; shown once. The tokens file holds only its hash."""
    import secrets

    from telephony.settings import token_hash

    token = secrets.token_urlsafe(32)
    out(f'token:  {token}\nsha256 = "{token_hash(token)}"')


def _mistake(file: Path, mistake: Mistake) -> str:
    place = f"{file}:{mistake.line}" if mistake.line else str(file)
    key = f" {mistake.key}:" if mistake.key else ""
    return f"{place}:{key} {mistake.severity}: {mistake.message}\n    {mistake.remedy}"


def _give_up(error: Exception) -> NoReturn:
    if isinstance(error, ConfigError):
        for mistake in error.mistakes:
            err(_mistake(Path(error.file), mistake))
    else:
        err(str(error))
    raise typer.Exit(1)


def main() -> None:
    """Run the command."""
    log_warnings()  # to standard error, so that what a command prints stays what was asked for
    app()


if __name__ == "__main__":
    main()
