"""Settlement zones of virtual merchants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seg5b.errors import InputError
from seg5b.tables.reading import Kind, numbers, read_columns, text


def read_settlement(files: Sequence[Path], *, code: str) -> dict[int, str]:
    """Read ``virtual_settlement_3B``: tzid_settlement by merchant.

    Raises `InputError` ``code``: unreadable, nulls, or a merchant twice.
    """
    columns = read_columns(files, {"merchant_id": Kind.ID, "tzid_settlement": Kind.TEXT}, code=code)
    merchants = numbers(columns, "merchant_id").tolist()
    zones = dict(zip(merchants, text(columns, "tzid_settlement").strings(), strict=True))
    if len(zones) < len(merchants):
        repeated = next(merchant for merchant in merchants if merchants.count(merchant) > 1)
        what = f"merchant {repeated} occurs twice"
        raise InputError(code, what, where=str(files[0]), remedy="restore the file that segment 3B wrote")
    return zones
