"""How the demo fails."""

from telephony.errors import BagvagtError


class DemoError(BagvagtError):
    """The demo cannot begin, or something that it promises did not happen; the text says what."""
