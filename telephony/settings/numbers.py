"""Phone numbers of people who are paged. Emergency and short numbers are looked for first.

The parser alone would take "112" with country SE for the Swedish number +46112.
"""

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, shortnumberinfo

_NORDIC = ("DK", "SE", "FI", "NO", "IS")

# Health and police lines, and crisis lines, that no table of emergency numbers holds.
_PUBLIC = frozenset({"114", "1177", "11313", "11414", "1813", "116117", "116111", "116123", "113", "110"})
_SHORT_DIGITS = 6


def is_emergency(dialled: str) -> bool:
    """Tell whether somebody who dials this reaches an emergency or public service, in any Nordic country."""
    digits = dialled.removeprefix("+")
    if not digits.isdecimal():
        return False
    return digits in _PUBLIC or any(shortnumberinfo.is_emergency_number(digits, country) for country in _NORDIC)


def mobile_number(written: str, country: str) -> tuple[str, str]:
    """Return (E.164 number, "") or ("", what is wrong).

    Args:
        written: as in the policy, with "+" and country code, or as dialled within `country`.
        country: two letters, or "" for none.
    """
    digits = "".join(c for c in written if c in "0123456789+")
    if is_emergency(digits):
        return "", "is an emergency or public service number, not a person"
    if not any(c in "0123456789" for c in written) or any(c.isalpha() for c in written):
        return "", "is not a phone number"
    try:
        number = phonenumbers.parse(written, country or None)
    except NumberParseException:
        return "", "is not a phone number, or lacks + and the country's code"
    national = phonenumbers.national_significant_number(number)
    if len(national) < _SHORT_DIGITS or is_emergency(national):
        return "", "is a short number, not a person"
    if not phonenumbers.is_valid_number(number):
        return "", "is not a number that is in use"
    return phonenumbers.format_number(number, PhoneNumberFormat.E164), ""
