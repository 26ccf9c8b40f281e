"""How the demo speaks on the terminal: one line for each thing that happened, with its time and who it is about.

Who is always a word, never a colour alone; without a terminal the lines come out plain, and one thing stays one line.
"""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {
    "says": "italic",
    "PBX": "",
    "hears": "cyan",
    "key": "bold yellow",
    "Bagvagt": "bold green",
    "phone": "magenta",
    "SMS": "magenta",
    "MQTT": "magenta",
    "kept": "bold",
    "you": "bold yellow",
}
_WHO_WIDTH = 7


class Narrator:
    """Prints what happens.

    Args:
        console: where.
        zone: the site's, for the times.
        now: the world's time.

    Attributes:
        told: (time, who, what), oldest first.
        before_each: called before each line, so that what happened earlier is told earlier.
    """

    def __init__(self, console: Console, zone: str, now: Callable[[], datetime]) -> None:
        self._console = console
        self._zone = ZoneInfo(zone)
        self._now = now
        self.before_each: Callable[[], None] = lambda: None
        self._is_telling = False
        self.told: list[tuple[str, str, str]] = []

    def clock(self, at: datetime) -> str:
        """Return a time as the site's clocks show it."""
        return f"{at.astimezone(self._zone):%H:%M:%S}"

    def line(self, who: str, text: str, at: datetime | None = None) -> None:
        """Tell one thing."""
        if not self._is_telling:
            self._is_telling = True
            try:
                self.before_each()
            finally:
                self._is_telling = False
        clock = self.clock(at or self._now())
        self.told.append((clock, who, text))
        self._put(clock, who, text)

    def heading(self, title: str, text: str) -> None:
        """Begin a story."""
        self.before_each()
        self._console.print()
        self._console.print(Text(f"── {title} ──", style="bold"))
        self._console.print(Text(text), soft_wrap=not self._console.is_terminal)

    def note(self, text: str) -> None:
        """Say something that belongs to no moment."""
        self._console.print(Text(text), soft_wrap=not self._console.is_terminal)

    def table(self, table: Table) -> None:
        """Show a table."""
        self._console.print()
        self._console.print(table)

    def _put(self, clock: str, who: str, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(Text(f"{clock}  {who:<{_WHO_WIDTH}}  {text}"), soft_wrap=True)
            return
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(width=8)
        grid.add_column(width=_WHO_WIDTH)
        grid.add_column(ratio=1)
        style = _STYLES.get(who, "")
        grid.add_row(Text(clock, style="dim"), Text(who, style=style), Text(text, style=style))
        self._console.print(grid)
