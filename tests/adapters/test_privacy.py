from pathlib import Path

from adapters.privacy import WITHHELD, CallerTag, read_or_make_key


def test_the_same_number_has_the_same_tag_and_the_number_is_not_in_it() -> None:
    """However the PBX writes the number; only the last two digits are readable."""
    tag = CallerTag(b"k" * 32)
    assert tag("+4520304050") == tag("45 20 30 40 50")
    assert tag("+4520304050").endswith(":50")
    assert "203040" not in tag("+4520304050")


def test_another_key_gives_another_tag() -> None:
    """Without the key the tags cannot be tried out."""
    assert CallerTag(b"a" * 32)("+4520304050") != CallerTag(b"b" * 32)("+4520304050")


def test_withheld_numbers_are_not_told_apart() -> None:
    """Nobody is anonymous caller number 7."""
    tag = CallerTag(b"k" * 32)
    assert {tag(""), tag("anonymous"), tag("<unknown>"), tag("Restricted")} == {WITHHELD}


def test_the_key_is_made_once_and_readable_by_the_service_alone(tmp_path: Path) -> None:
    """A second start reads the same key."""
    file = tmp_path / "caller.key"
    key = read_or_make_key(file)
    assert len(key) == 32
    assert read_or_make_key(file) == key
    assert file.stat().st_mode & 0o077 == 0
