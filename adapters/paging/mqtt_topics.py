"""The topics of one site. Pure."""

from urllib.parse import quote, unquote

from adapters.paging.mqtt_codec import PROBE, Said


class Topics:
    """The topics under a prefix.

    Raises:
        ValueError: the prefix cannot be one.
    """

    def __init__(self, prefix: str) -> None:
        if not prefix or prefix.startswith(("/", "$")) or prefix.endswith("/") or set(prefix) & set("+#\0"):
            raise ValueError(f"{prefix!r} cannot be a prefix of MQTT topics")
        self._prefix = prefix
        self.status = f"{prefix}/status"
        self.key = f"{prefix}/key"
        self.heartbeat = f"{prefix}/heartbeat"
        self.audit_head = f"{prefix}/audit/head"
        self.any_page = f"{prefix}/page/+"
        self.any_said = tuple(f"{prefix}/page/+/{said}" for said in Said)
        self.probes_elsewhere = (self.person(PROBE), f"{prefix}/audit/{PROBE}")
        self.probes = (self.page(PROBE), *(self.said(PROBE, said) for said in Said), *self.probes_elsewhere)

    def page(self, page: str) -> str:
        """Return where a page's state is retained."""
        return f"{self._prefix}/page/{_level(page)}"

    def said(self, page: str, said: Said) -> str:
        """Return where something is said to a page."""
        return f"{self.page(page)}/{said}"

    def person(self, address: str) -> str:
        """Return where one person is told."""
        return f"{self._prefix}/person/{_level(address)}/page"

    def means(self, page: str) -> dict[Said, str]:
        """Return where each thing is said to a page."""
        return {said: self.said(page, said) for said in Said}

    def page_of(self, topic: str) -> tuple[str, Said | None] | None:
        """Return the page that a topic names, and what is said to it, None for its state; None for other topics."""
        start = f"{self._prefix}/page/"
        page, _, rest = topic.removeprefix(start).partition("/")
        if not topic.startswith(start) or not page or rest not in ("", *Said):
            return None
        return unquote(page), Said(rest) if rest else None


def _level(name: str) -> str:
    """Return a name as one level of a topic: what means something in topics is percent-encoded, letters stay."""
    return "".join(c if c.isprintable() and c not in "/+#%" else quote(c, safe="") for c in name)
