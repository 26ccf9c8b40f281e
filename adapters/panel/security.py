"""Headers that every answer carries. A screen runs our own scripts, and nothing of anybody else."""

from typing import Final

from aiohttp import web

PANEL: Final = "/panel/"
RECORDS: Final = "/panel/admin/prompts"
"""The one screen that may use the microphone."""

_SCREEN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DATA = "default-src 'none'; frame-ancestors 'none'"
_NO_DEVICES = "camera=(), display-capture=(), geolocation=(), payment=(), usb=()"
_YEAR_S = 365 * 86_400


def headers(request: web.Request, content_type: str) -> dict[str, str]:
    """Return the headers of an answer.

    Args:
        request: what was asked.
        content_type: of the answer; only HTML runs anything.
    """
    is_screen = content_type == "text/html"
    found = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _SCREEN if is_screen else _DATA,
        # Not no-referrer on a screen: with it a browser sends `Origin: null` with our own forms (Fetch, §3.1).
        "Referrer-Policy": "same-origin" if is_screen else "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if is_screen:
        microphone = "self" if request.path == RECORDS else ""
        found["Permissions-Policy"] = f"microphone=({microphone}), {_NO_DEVICES}"
        found["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.secure:
        found["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
    return found
