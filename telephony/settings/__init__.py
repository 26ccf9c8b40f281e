"""Policy in TOML: `load` reads and checks a file, `rules` resolves it for the core."""

from telephony.settings.load import check, load
from telephony.settings.look import PromptsMissing
from telephony.settings.model import Settings
from telephony.settings.resolve import rules
from telephony.settings.tokens import Token, token_hash

__all__ = ["PromptsMissing", "Settings", "Token", "check", "load", "rules", "token_hash"]
