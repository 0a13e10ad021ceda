"""A user's own table of merchants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seg5b.world.plan import OwnMerchants


def own_merchants(merchants: Mapping[str, Any], countries: tuple[str, ...]) -> OwnMerchants | None:
    """The table that ``merchants.file`` names, or None."""
    return None
