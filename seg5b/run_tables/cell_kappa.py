"""The dispersion of a cell as SQL: that of its group, and what the mean of the cell adds to it (docs/laws#cell-kappa).

The constants ``reference_mean`` (arrivals per bucket), ``volume_power``, ``least_kappa`` and ``most_kappa`` say how; where all
cells of a group have the same they leave it as it is.
"""

from __future__ import annotations

from typing import Final

LEAST_RATIO: Final = 2.0**-1022
"""A smaller part of the reference mean counts as this one."""


def cell_kappa(kappa: str, mu: str) -> str:
    """SQL for the dispersion of a cell of mean ``mu`` in a group of ``kappa``, a number."""
    ratio = f"greatest({mu} / $reference_mean, {LEAST_RATIO!r})"
    return f"least(greatest({kappa} * pow({ratio}, $volume_power), $least_kappa), $most_kappa)"


def cell_spread(kappa: str, mu: str) -> str:
    """SQL for 1 / kappa of the cell; 0 where the law has no dispersion (``kappa`` null or not a number)."""
    return (
        f"CASE WHEN {kappa} IS NULL OR isnan({kappa}) THEN 0.0::DOUBLE ELSE 1.0::DOUBLE / {cell_kappa(kappa, mu)} END"
    )
