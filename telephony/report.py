"""Figures of pages that are over: how long it took until somebody had them, and which way did not work.

Never a ranking of people: no name is in here. A figure by hour of the day is given for five pages or more, since with
fewer the rota would tell whose it is. Drills and tests stand apart from alarms. docs/report.md says how all is counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import product
from statistics import quantiles
from typing import Final
from zoneinfo import ZoneInfo

from policies.events import Delivery
from policies.pages import LAST_RESORT, Page
from telephony.screens.model import Picture

LATE_AFTER_S: Final = 600.0
FEWEST: Final = 5
"""Smaller groups have no figures by hour, nor any in a report on less than a week."""
WEEK: Final = timedelta(days=7)
_SORTS: Final = ("alarm", "watch", "drill", "test")


class Took(Picture):
    """How long it took from a page's beginning until somebody had it.

    Attributes:
        step: the rung that was told last then, from 0; -1 for the last resort, None for all rungs.
        hour: of the day in the site's zone, when the page began, 0 to 23; None for all hours.
        pages: how many were answered.
        p50_s: the median, in seconds.
        p90_s: nine of ten were answered within this time, in seconds.
    """

    step: int | None
    hour: int | None
    pages: int
    p50_s: float
    p90_s: float


class PlanFigures(Picture):
    """Pages of one plan and severity.

    Attributes:
        plan: its name.
        severity: acute, urgent, normal.
        pages: how many.
        answered: by a person.
        last_resort: how many went as far as that.
        late: how many nobody had within the report's `late_after_s`.
    """

    plan: str
    severity: str
    pages: int
    answered: int
    last_resort: int
    late: int


class ChannelFigures(Picture):
    """Messages of one channel.

    Attributes:
        channel: "sms" …
        messages: how many were sent or tried; those whose turn never came are not counted.
        delivered: their carrier said that they had arrived, or were read.
        failed: their carrier refused them, or said that they would not arrive.
    """

    channel: str
    messages: int
    delivered: int
    failed: int


class MeansFigures(Picture):
    """How pages were answered.

    Attributes:
        means: "sms", "voice", "http" …
        pages: how many.
    """

    means: str
    pages: int


class Figures(Picture):
    """Pages of one sort.

    Attributes:
        sort: "alarm", "watch" (another Bagvagt was silent), "drill", "test".
        pages: how many.
        plans: by plan and severity.
        took: of all; then by rung; then by hour, and by rung and hour, where there are enough.
        means: most first.
        channels: by name.
    """

    sort: str
    pages: int
    plans: tuple[PlanFigures, ...]
    took: tuple[Took, ...]
    means: tuple[MeansFigures, ...]
    channels: tuple[ChannelFigures, ...]


class Report(Picture):
    """Figures of a time.

    Attributes:
        since: pages that began from then on.
        until: and before this.
        zone: whose hours these are.
        late_after_s: see `PlanFigures.late`.
        fewest: smaller groups have no figures by hour.
        sorts: those of which there were any.
    """

    since: datetime
    until: datetime
    zone: str
    late_after_s: float
    fewest: int
    sorts: tuple[Figures, ...]

    def lines(self) -> Iterator[str]:
        """Yield it for people, line by line."""
        zone = ZoneInfo(self.zone)
        since, until = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (self.since, self.until))
        yield f"Pages from {since} until {until} ({self.zone})"
        if not self.sorts:
            yield "None."
        for figures in self.sorts:
            yield from ("", *_lines(figures, self.late_after_s))
        yield ""
        yield f"Figures by hour are given for {self.fewest} pages or more. Nobody's name is in here."

    def json(self) -> str:  # type: ignore[override]  # pydantic's own of this name is long deprecated
        """Return it for machines."""
        return self.model_dump_json(indent=2)


def report(
    pages: Iterable[Page], since: datetime, until: datetime, zone: ZoneInfo, *, late_after_s: float = LATE_AFTER_S
) -> Report:
    """Return the figures.

    Args:
        pages: those of another time are left out.
        since: aware; pages that began from then on.
        until: aware; and before this. What nobody has answered is counted as if looked at then.
        zone: in whose hours the day is counted.
        late_after_s: a page that nobody has had after this time is late.
    """
    by_sort: defaultdict[str, list[Page]] = defaultdict(list)
    for page in pages:
        if since <= page.opened_at < until:
            by_sort[page.reason if page.reason in _SORTS else _SORTS[0]].append(page)
    sorts = tuple(_figures(sort, by_sort[sort], since, until, zone, late_after_s) for sort in _SORTS if sort in by_sort)
    return Report(since=since, until=until, zone=zone.key, late_after_s=late_after_s, fewest=FEWEST, sorts=sorts)


def percentile(values: list[float], part: int) -> float:
    """Return the value below which `part` per cent of the values lie: linear between the two nearest (R's type 7).

    Args:
        values: at least one.
        part: from 1 to 99.
    """
    return quantiles(values, n=100, method="inclusive")[part - 1] if len(values) > 1 else values[0]


def _figures(
    sort: str, pages: list[Page], since: datetime, until: datetime, zone: ZoneInfo, late_after_s: float
) -> Figures:
    plans: defaultdict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in pages:
        plans[page.plan.name, page.severity.value].append(page)
    means = Counter(page.means for page in pages if page.answered_at is not None)
    return Figures(
        sort=sort,
        pages=len(pages),
        plans=tuple(_plan(*key, plans[key], until, late_after_s) for key in sorted(plans)),
        took=tuple(_took(pages, zone, is_long=until - since >= WEEK)),
        means=tuple(MeansFigures(means=name, pages=count) for name, count in means.most_common()),
        channels=tuple(_channels(pages)),
    )


def _plan(plan: str, severity: str, pages: list[Page], until: datetime, late_after_s: float) -> PlanFigures:
    waited_s = [((page.answered_at or until) - page.opened_at).total_seconds() for page in pages]
    return PlanFigures(
        plan=plan,
        severity=severity,
        pages=len(pages),
        answered=sum(page.answered_at is not None for page in pages),
        last_resort=sum(any(told.step == LAST_RESORT for told in page.told) for page in pages),
        late=sum(s > late_after_s for s in waited_s),
    )


def _took(pages: Iterable[Page], zone: ZoneInfo, *, is_long: bool) -> Iterator[Took]:
    groups: defaultdict[tuple[int | None, int | None], list[float]] = defaultdict(list)
    for page in pages:
        if page.answered_at is not None:
            took_s = (page.answered_at - page.opened_at).total_seconds()
            began = page.opened_at.astimezone(zone).hour
            for step_or_all, hour_or_all in product((None, page.step), (None, began)):
                groups[step_or_all, hour_or_all].append(took_s)
    for step, hour in sorted(groups, key=_order):
        took = groups[step, hour]
        if len(took) >= FEWEST or (hour is None and is_long):
            p50, p90 = percentile(took, 50), percentile(took, 90)
            yield Took(step=step, hour=hour, pages=len(took), p50_s=p50, p90_s=p90)


def _order(group: tuple[int | None, int | None]) -> tuple[bool, bool, float, int]:
    """All, then by rung, then by hour, then by both; the last resort is the last rung."""
    step, hour = group
    rung = -1.0 if step is None else float("inf") if step == LAST_RESORT else float(step)
    return hour is not None, step is not None, rung, -1 if hour is None else hour


def _channels(pages: Iterable[Page]) -> Iterator[ChannelFigures]:
    tried = [told for page in pages for told in page.told if told.attempt]
    for channel in sorted({told.channel for told in tried}):
        those = [told for told in tried if told.channel == channel]
        arrived = [told for told in those if told.delivered_at is not None or told.read_at is not None]
        lost = [
            told
            for told in those
            if told not in arrived and (told.failed_at is not None or told.delivery is Delivery.REFUSED)
        ]
        yield ChannelFigures(channel=channel, messages=len(those), delivered=len(arrived), failed=len(lost))


_TITLES: Final = {
    "alarm": "Alarms",
    "watch": "Another Bagvagt was silent",
    "drill": "Drills",
    "test": "Tests",
}


def _lines(figures: Figures, late_after_s: float) -> Iterator[str]:
    yield f"{_TITLES[figures.sort]}: {figures.pages}"
    for plan in figures.plans:
        said = f"{plan.pages}, {plan.answered} answered, {plan.late} not within {late_after_s / 60:g} min"
        yield f"  plan {plan.plan}, {plan.severity}: {said}, {plan.last_resort} to the last resort"
    for took in figures.took:
        rung = "" if took.step is None else "last resort" if took.step == LAST_RESORT else f"step {took.step + 1}"
        hour = "" if took.hour is None else f"{took.hour:02}:00-{took.hour:02}:59"
        group = ", ".join(part for part in (rung, hour) if part) or "all"
        yield f"  taken, {group}: {took.pages}, half within {took.p50_s:.0f} s, nine of ten within {took.p90_s:.0f} s"
    if figures.means:
        yield f"  answered by {', '.join(f'{m.means} {m.pages}' for m in figures.means)}"
    for channel in figures.channels:
        said = f"{channel.messages} messages, {channel.delivered} known to have arrived, {channel.failed} failed"
        yield f"  {channel.channel}: {said}"
