"""Metrics in Prometheus' form, made by watching the engine's decisions.

Labels are words of the code and names of the policy, never of people, calls or addresses: their number stays small.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from policies import actions as act
from policies import events as ev
from policies.breaks import BreakState
from policies.guards import CallState
from policies.pages import LAST_RESORT, Told
from policies.proofs import Proof
from policies.state import State

_ANSWERED = (10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
# From a tenth of a millisecond (a decision) to half a minute (a store that stalled).
_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0, 30.0)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """A `Listener` that counts.

    Attributes:
        registry: for `/metrics`.

    Args:
        now: the time (aware), for what grows old by itself.
    """

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        self._state = State()
        self.registry = CollectorRegistry()
        registry = self.registry
        self._keys = Counter("bagvagt_keys", "Keys pressed", ["key", "source", "verdict", "reason"], registry=registry)
        self._actions = Counter("bagvagt_actions", "Actions asked for", ["action"], registry=registry)
        self._outcomes = Counter("bagvagt_outcomes", "How actions went", ["event", "outcome"], registry=registry)
        self._refused = Counter("bagvagt_http_refused", "HTTP requests refused", ["why"], registry=registry)
        self._took = {
            "decide": Histogram("bagvagt_decide_seconds", "Time of a decision", buckets=_SECONDS, registry=registry),
            "commit": Histogram(
                "bagvagt_commit_seconds", "Time of a commit of the journal", buckets=_SECONDS, registry=registry
            ),
        }
        self._connected = Gauge(
            "bagvagt_pbx_connected", "1 while the PBX is there and was read in full", registry=registry
        )
        self._epoch = Gauge("bagvagt_pbx_epoch", "Connections to the PBX since the start", registry=registry)
        self._guarded = Gauge("bagvagt_guarded_calls", "Guarded calls", ["state"], registry=registry)
        self._breaks = Gauge("bagvagt_breaks", "Breaks under way", ["state"], registry=registry)
        self._pages = Gauge("bagvagt_pages_open", "Pages that nobody has answered", registry=registry)
        self._messages = Counter(
            "bagvagt_page_messages", "What carriers said of messages", ["channel", "result"], registry=registry
        )
        self._answers = Histogram(
            "bagvagt_page_answer_seconds",
            "From a page's beginning until somebody had it, by the step that was told last",
            ["step", "reason"],
            buckets=_ANSWERED,
            registry=registry,
        )
        self._proof_age = Gauge(
            "bagvagt_proof_age_seconds",
            "The longest time since somebody has proved to be reached, of those who ever have",
            ["channel"],
            registry=registry,
        )
        self._unproved = Gauge(
            "bagvagt_proofs_unproved",
            "Ways to people that were never proved, or not the last time",
            ["channel"],
            registry=registry,
        )
        self._lag = Gauge(
            "bagvagt_loop_lag_seconds", "Worst lateness of the event loop in the last ten seconds", registry=registry
        )
        self._gaps = Gauge(
            "bagvagt_on_call_gaps", "Rungs that have nobody at some time of the next 30 days", registry=registry
        )
        self._unsaved = Gauge("bagvagt_journal_unsaved", "Decisions that the store has not taken", registry=registry)

    def watch(self, *, loop_lag_s: Callable[[], float], unsaved: Callable[[], int]) -> None:
        """Read these whenever somebody looks at the metrics."""
        self._lag.set_function(loop_lag_s)
        self._unsaved.set_function(unsaved)

    def gaps(self, number: int) -> None:
        """Note in how many rungs nobody would be on call at some time."""
        self._gaps.set(number)

    def took(self, what: str, seconds: float) -> None:
        """Note the time of a `decide` or a `commit`; fits the engine's `measure`."""
        self._took[what].observe(seconds)

    def refused(self, why: str) -> None:
        """Count a refused HTTP request: "token", "guess_limit", "limit" or "address"."""
        self._refused.labels(why).inc()

    def decided(self, event: ev.Event, state: State, actions: Iterable[act.Action]) -> None:
        """Count one decision."""
        for action in actions:
            self._actions.labels(type(action).__name__).inc()
            if isinstance(action, act.Tell) and action.press and isinstance(event, ev.KeyPressed):
                self._keys.labels(event.key.name, event.source.value, action.verdict.value, action.reason.value).inc()
        for name in ("outcome", "played", "delivery"):
            value = getattr(event, name, None)
            if value is not None:
                self._outcomes.labels(type(event).__name__, str(value)).inc()
        self._connected.set(state.connected)
        self._epoch.set(state.epoch)
        # Every state is always there: a series that comes and goes cannot be told from one that is not scraped.
        guards, breaks = dict.fromkeys(CallState, 0), dict.fromkeys(BreakState, 0)
        for guard in state.guards.values():
            guards[guard.state] += 1
        for break_ in state.breaks.values():
            breaks[break_.state] += 1
        for call_state, count in guards.items():
            self._guarded.labels(call_state.value).set(count)
        for break_state, count in breaks.items():
            self._breaks.labels(break_state.value).set(count)
        self._pages.set(sum(page.is_open for page in state.pages.values()))
        self._count_pages(event, state)
        if state.proofs != self._state.proofs:
            self._count_proofs(state.proofs.values())
        self._state = state

    def _count_pages(self, event: ev.Event, state: State) -> None:
        if isinstance(event, ev.Notified):
            # As it was before: what is sent again at once has another action.
            for told in _messages(self._state):
                if told.action == event.action:
                    self._messages.labels(told.channel, event.delivery.value).inc()
        elif isinstance(event, ev.MessageReported):
            for told in _messages(state):
                if told.message == event.message:
                    self._messages.labels(told.channel, event.report.value).inc()
        for page in state.pages.values():
            before = self._state.pages.get(page.id)
            if page.answered_at is not None and before is not None and before.is_open:
                step = "last_resort" if page.step == LAST_RESORT else str(page.step + 1)
                took = page.answered_at - page.opened_at
                self._answers.labels(step, page.reason).observe(took.total_seconds())

    def _count_proofs(self, proofs: Iterable[Proof]) -> None:
        by_channel: dict[str, list[Proof]] = {proof.channel: [] for proof in self._state.proofs.values()}
        for proof in proofs:
            by_channel.setdefault(proof.channel, []).append(proof)
        for channel, those in by_channel.items():
            self._unproved.labels(channel).set(sum(p.proved_at is None or p.lapses > 0 for p in those))
            proved = [p.proved_at for p in those if p.proved_at is not None]
            if proved:
                self._proof_age.labels(channel).set_function(partial(self._since, min(proved)))
            else:
                self._proof_age.remove(channel)

    def _since(self, at: datetime) -> float:
        return (self._now() - at).total_seconds()


def _messages(state: State) -> Iterator[Told]:
    for page in state.pages.values():
        yield from page.told
    yield from (proof.told for proof in state.proofs.values() if proof.told is not None)
