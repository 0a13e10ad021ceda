"""Numbers in words, and one sentence about several scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMED_SCENARIOS = 3


def count(value: int) -> str:
    """A number in full, thousands apart."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun in the right form."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def percent(share: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{digits}f}%"


def each(said: Sequence[tuple[str, str]]) -> str:
    """(scenario, words) of all scenarios as one phrase: once where all say the same, else scenario by scenario."""
    words = list(dict.fromkeys(words for _, words in said))
    if len(words) <= 1:
        return words[0] if words else ""
    named = [f"{words} ({scenario})" for scenario, words in said[:_NAMED_SCENARIOS]]
    rest = len(said) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def iso_day(day: int) -> str:
    """Days since 1970-01-01 as an ISO date."""
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH.date()).days


def rounded(value: float, digits: int = 6) -> float | None:
    """A float with so many significant digits; None (null) if it is not finite."""
    return float(f"{value:.{digits}g}") if abs(value) < float("inf") else None
