"""Prompts over the API: the list, a new recording, and back to the one before."""

import tempfile
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from adapters.http.problems import LARGER, problem
from adapters.panel.admin.doors import ADMIN, note
from adapters.panel.admin.shelf import NoFolderError, PromptList, PromptMade, PromptPicture
from adapters.panel.routes import SESSION, Route, answer
from adapters.prompts.errors import PromptError, PromptMissingError, PromptNameError
from adapters.prompts.library import check_language, check_name

PLACE: Final = "/v1/prompts/{language}/{name}"
MOST_BYTES: Final = LARGER[f"PUT {PLACE}"]
"""A minute of stereo at 48 kHz and 24 bit takes 17 MB; a longer prompt is refused anyhow."""


async def prompts(request: web.Request) -> web.Response:
    """Send every prompt."""
    return answer(await request.app[ADMIN].shelf.list())


async def put_prompt(request: web.Request) -> web.Response:
    """Take in a recording, whatever its format; it is played from the next call on."""
    admin = request.app[ADMIN]
    name, language = request.match_info["name"], request.match_info["language"]
    with tempfile.TemporaryDirectory(prefix="bagvagt-prompt-") as folder:
        try:
            _look(request, name, language)
            source = await _received(request, Path(folder))
            made = await admin.shelf.replace(source, name, language)
        except web.HTTPRequestEntityTooLarge:
            return problem(413, "", "Request Entity Too Large", {"Connection": "close"}, most_bytes=MOST_BYTES)
        except PromptError as error:
            return _refused(error)
    note(request, f"prompt_replaced: {language}/{name}")
    return answer(made)


async def undo_prompt(request: web.Request) -> web.Response:
    """Go back to the recording before."""
    name, language = request.match_info["name"], request.match_info["language"]
    try:
        _look(request, name, language)
        made = await request.app[ADMIN].shelf.undo(name, language)
    except PromptError as error:
        return _refused(error)
    except OSError as error:
        return problem(409, "not-writable", "The prompt folder cannot be written", detail=error.strerror or "")
    note(request, f"prompt_undone: {language}/{name}")
    return answer(made)


def _look(request: web.Request, name: str, language: str) -> None:
    """Refuse before anything is read.

    Raises:
        PromptError: the name could not be one, the language is not spoken here, or recordings have no place.
    """
    admin = request.app[ADMIN]
    check_name(name)
    check_language(language)
    if language not in admin.loads.settings.languages:
        raise PromptNameError("language", language, "Add it to languages under [prompts] in the policy")
    if admin.shelf.folder is None:
        raise NoFolderError


async def _received(request: web.Request, folder: Path) -> Path:
    """Write the body to a file, and return that.

    Raises:
        web.HTTPRequestEntityTooLarge: there is too much of it.
    """
    source, received = folder / "recording", 0
    with source.open("wb") as file:
        async for part in request.content.iter_chunked(64 * 1024):
            received += len(part)
            if received > MOST_BYTES:
                raise web.HTTPRequestEntityTooLarge(max_size=MOST_BYTES, actual_size=received)
            file.write(part)
    return source


def _refused(error: PromptError) -> web.Response:
    """Return what is wrong; where the file stood in the meantime is nobody's business."""
    told: dict[str, Any] = {"detail": error.problem, "remedy": error.remedy}
    match error:
        case NoFolderError():
            return problem(409, "no-folder", "There is no folder for recordings", **told)
        case PromptNameError() | PromptMissingError():
            return problem(404, "no-such-prompt", "There can be no such prompt", **told)
        case _:
            return problem(422, "not-usable", "The recording cannot be used", **told)


_PROBLEMS: Final = {
    404: "`no-such-prompt`: the name could not be one, or nobody is spoken to in the language.",
    409: "`no-folder`: the policy names none; `not-writable`.",
}

ROUTES: Final = (
    Route(
        "GET",
        "/v1/prompts",
        prompts,
        "Every prompt: where it comes from, how long and how loud it is",
        response_model=PromptList,
        proof=(SESSION,),
    ),
    Route(
        "PUT",
        PLACE,
        put_prompt,
        "Put a recording in place of a prompt: the body is an audio file (WAV, FLAC, OGG, MP3, AIFF), at most 20 MB",
        response_model=PromptMade,
        proof=(SESSION,),
        problems={
            **_PROBLEMS,
            413: "Larger than 20 MB.",
            422: "`not-usable`: what is wrong with the recording, and the remedy.",
        },
    ),
    Route(
        "POST",
        f"{PLACE}/undo",
        undo_prompt,
        "Go back to the recording before, or to the placeholder; a second time undoes that",
        response_model=PromptPicture,
        proof=(SESSION,),
        problems={**_PROBLEMS, 422: "`not-usable`: there is nothing to go back to."},
    ),
)
