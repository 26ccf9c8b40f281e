"""Somebody at a screen of the real service: an account by the command, its one-time link, a password, the screen."""

import time
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Look
from tests.lab.service import Service

PASSWORD = "correct horse battery"
PATIENCE_S = 30.0
PATIENCE_MS = 1000 * PATIENCE_S

_WATCH = """() => {
  const shown = () => [
    document.body.dataset.live ?? "",
    document.getElementById("state")?.dataset.mood ?? "",
    document.getElementById("key-warn")?.dataset.phase ?? "",
    [...document.querySelectorAll("[data-key]")].map((key) => key.dataset.key).sort().join(" "),
  ];
  let last = "";
  const look = () => {
    const now = shown();
    if (now.join() === last) return;
    last = now.join();
    window.tell(...now);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
}"""


@dataclass(frozen=True)
class Shown:
    """What an agent's screen showed, from one change to the next.

    Attributes:
        at: `time.monotonic()` when this process was told, which is never earlier.
        live: whether the screen may be believed: "on", "off", "lost".
        mood: the call's state in one word.
        asked: how far the warning key's last press has got: "asked", "accepted", "refused", "failed", "" for none.
        keys: names of the keys on it.
    """

    at: float
    live: str
    mood: str
    asked: str
    keys: str


async def let_in(look: Look, service: Service, name: str, *options: str, **context: object) -> Page:
    """Add an account by the command, set its password by the link that is printed; return the role's first screen.

    Args:
        look: opens a browser of its own.
        service: the running one.
        name: of the account.
        options: of `bagvagt account add`.
        context: of the browser.
    """
    printed = await service.command("account", "add", name, "-c", str(service.policy_file), *options)
    link = next(line for line in printed.splitlines() if line.startswith(service.url))
    page = await look(link, **context)
    page.set_default_timeout(PATIENCE_MS)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#again").fill(PASSWORD)
    await page.locator("form[action='/panel/setup'] button").click()
    await is_live(page)
    return page


async def has(locator: Locator, name: str, value: str) -> None:
    """Wait until an element has this attribute."""
    await expect(locator).to_have_attribute(name, value, timeout=PATIENCE_MS)


async def is_live(page: Page, live: str = "on") -> None:
    """Wait until the screen says of itself that it may be believed, or that it may not."""
    await has(page.locator("body"), "data-live", live)


async def shows(page: Page, mood: str) -> None:
    """Wait until an agent's screen shows this state, and may be believed."""
    await has(page.locator("body[data-live=on] #state"), "data-mood", mood)


async def watch(page: Page) -> list[Shown]:
    """Return what an agent's screen shows from now on, in a list that grows: also what nobody's eye would catch."""
    seen: list[Shown] = []
    await page.expose_function("tell", lambda *shown: seen.append(Shown(time.monotonic(), *shown)))
    await page.evaluate(_WATCH)
    return seen
