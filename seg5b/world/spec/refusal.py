"""How a specification is refused: by key, value, reason and remedy."""

from __future__ import annotations

from typing import Any

from seg5b.errors import WorldError, shown

SPEC_INVALID = "5B.WORLD.SPEC_INVALID"


def refusal(key: str, value: Any, reason: str, remedy: str) -> WorldError:
    """The error ``5B.WORLD.SPEC_INVALID`` at ``key``; ``reason`` continues "key: value ..."."""
    return WorldError(SPEC_INVALID, f"{key}: {shown(value)} {reason}", where=key, remedy=remedy)
