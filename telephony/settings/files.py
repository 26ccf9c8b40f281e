"""The files that a policy names: secrets, tokens, folders. They must be there, and be nobody else's to read."""

import stat
from pathlib import Path

from telephony.settings import fields as f
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.tokens import Token, read_tokens

MOST_BYTES = 65_536
_OTHERS = stat.S_IRWXO
_GROUP_WRITES = stat.S_IWGRP


def check(look: Look) -> tuple[Token, ...]:
    """Look at every file; return what the tokens file holds."""
    settings = look.settings
    if settings.pbx.kind == "asterisk":
        _needed(look, ("pbx", "ami_secret_file"), settings.pbx.ami_secret_file)
        _needed(look, ("pbx", "ari_secret_file"), settings.pbx.ari_secret_file)
    if settings.mqtt is not None:
        _mqtt(look)
    if settings.prompts.folder and not exists(look.resolve(settings.prompts.folder), folder=True):
        message = f"there is no folder {settings.prompts.folder}: callers hear the machine's voice"
        look.doubtful(("prompts", "folder"), message, 'record prompts there, or write folder = ""')
    if not settings.store.path or not exists(look.resolve(settings.store.path).parent, folder=True):
        message = f"the folder of {settings.store.path or 'the store'} is not there"
        # No error: systemd makes it when the service is started for the first time, and without it nothing starts.
        look.doubtful(("store", "path"), message, "make it, or leave that to the service's unit (StateDirectory=)")
    return _tokens(look)


def _needed(look: Look, at: KeyPath, name: str) -> None:
    if name:
        secret(look, at, name)
    else:
        message = "Asterisk asks for a secret, and no file is named"
        look.wrong(at, message, 'name a file, or use kind = "simulator" in [pbx]')


def _mqtt(look: Look) -> None:
    mqtt = look.settings.mqtt
    if mqtt is None:
        return
    if mqtt.password_file:
        secret(look, ("mqtt", "password_file"), mqtt.password_file)
    if bool(mqtt.user) != bool(mqtt.password_file):
        look.wrong(("mqtt", "user"), "user and password_file go together", "give both, or neither")
    if mqtt.ca_file and not mqtt.tls:
        look.wrong(("mqtt", "ca_file"), "is of no use without encryption", "set tls = true, or remove ca_file")
    if mqtt.ca_file and not exists(look.resolve(mqtt.ca_file)):
        look.wrong(("mqtt", "ca_file"), f"there is no file {mqtt.ca_file}", "name the certificate authority's file")
    if mqtt.password_file and not mqtt.tls and mqtt.host not in f.LOOPBACK:
        look.doubtful(("mqtt", "tls"), "the password goes over the network unencrypted", "set tls = true")


def secret(look: Look, at: KeyPath, name: str, *, one_line: bool = True, may_be_empty: bool = False) -> str:
    """Look at a file that only the service may read; return its text, "" when something is wrong."""
    file = look.resolve(name)
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            look.wrong(at, f"{name} is not a file", "name a file that holds nothing but the secret")
            return ""
        if mode & (_OTHERS | _GROUP_WRITES):
            look.wrong(at, f"{name} can be read or changed by others", f"run: chmod 640 {name}")
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
        text = data.decode("utf-8").strip()
    except FileNotFoundError:
        look.wrong(at, f"there is no file {name}", "create it, with mode 600 and the secret in it")
    except UnicodeDecodeError:
        look.wrong(at, f"{name} is not text", "it should hold nothing but the secret")
    except OSError as error:
        look.wrong(at, f"{name} cannot be read: {error.strerror}", "let the service's user read it")
    else:
        problem = _problem(text, len(data), one_line=one_line)
        if not problem or (may_be_empty and not text):
            return text
        look.wrong(at, f"{name} {problem}", "it should hold nothing but the secret")
    return ""


def _problem(text: str, size: int, *, one_line: bool) -> str:
    if not text:
        return "is empty"
    if size > MOST_BYTES:
        return "is larger than a secret can be"
    if one_line and not text.isprintable():
        return "holds more than one line, or control characters"
    return ""


def _tokens(look: Look) -> tuple[Token, ...]:
    http = look.settings.http
    at: KeyPath = ("http", "tokens_file")
    if not http.tokens_file:
        return ()
    text = secret(look, at, http.tokens_file, one_line=False, may_be_empty=True)
    if not text:
        return ()
    try:
        tokens, mistakes = read_tokens(look.resolve(http.tokens_file))
    except OSError:
        return ()
    for m in mistakes:
        place = f"{http.tokens_file}, line {m.line or 1}" + (f", {m.key}" if m.key else "")
        look.wrong(at, f"{place}: {m.message}", m.remedy, m.severity)
    for token in tokens:
        if token.person and not look.knows("people", token.person):
            message = f'{http.tokens_file}: token {token.name} is for "{token.person}", who is not in [people]'
            look.wrong(at, message, f"add [people.{token.person}], or remove the token")
    return tokens


def exists(path: Path, *, folder: bool = False) -> bool:
    """Tell whether there is such a file, or such a folder."""
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False
