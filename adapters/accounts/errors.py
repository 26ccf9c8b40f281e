"""What is refused when somebody changes who may do what. The code is for programs, the words for people."""

from telephony.errors import BagvagtError


class AccessRefusedError(BagvagtError):
    """It cannot be done, and trying again does not help.

    Attributes:
        code: as in a problem's type, "name-taken".
        words: why, for people.
    """

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words
        super().__init__(code, words)

    def __str__(self) -> str:
        return self.words


class NoSuchError(AccessRefusedError):
    """There is no such account, session or token."""


class SignOnError(BagvagtError):
    """Single sign-on has not told who it is.

    Attributes:
        code: for the log and the screen: "unreachable", "state", "token" …
        detail: for the log alone.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(code, detail)
