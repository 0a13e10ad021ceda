"""Who the merchants are: 5A's demand class and channel per component, 3B's virtual mode per merchant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seg5b.errors import InputError
from seg5b.tables.reading import Kind, numbers, read_columns, text

VIRTUAL_MODES = ("NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY")
_RESTORE = "restore the file that upstream wrote"


@dataclass(frozen=True, slots=True)
class Profile:
    """``demand_class`` and ``channel`` by (merchant_id, legal_country_iso, tzid)."""

    demand_class: dict[tuple[int, str, str], str]
    channel: dict[tuple[int, str, str], str]

    def first_countries(self) -> dict[tuple[int, str], str]:
        """Country of each (merchant_id, tzid): the first in byte order of those through which the merchant is there."""
        found: dict[tuple[int, str], str] = {}
        for merchant, country, tzid in self.channel:
            known = found.setdefault((merchant, tzid), country)
            if country.encode() < known.encode():
                found[merchant, tzid] = country
        return found


def read_profile(files: Sequence[Path], *, code: str) -> Profile:
    """Read ``merchant_zone_profile_5A``. Raises `InputError` ``code``: empty, nulls, a blank channel, or two values
    for one key."""
    names = ("legal_country_iso", "tzid", "demand_class", "channel_group")
    columns = read_columns(files, {"merchant_id": Kind.ID, **dict.fromkeys(names, Kind.TEXT)}, code=code)
    merchants = numbers(columns, "merchant_id").tolist()
    countries, tzids, classes, channels = (text(columns, name).strings() for name in names)
    profile = Profile({}, {})
    for key, demand_class, channel in zip(
        zip(merchants, countries, tzids, strict=True), classes, channels, strict=True
    ):
        if not channel.strip() or not demand_class.strip():
            raise InputError(code, f"{key} has a blank class or channel", where=str(files[0]), remedy=_RESTORE)
        known = profile.demand_class.setdefault(key, demand_class), profile.channel.setdefault(key, channel)
        if known != (demand_class, channel):
            what = f"{key} has both {known} and {(demand_class, channel)}"
            raise InputError(code, what, where=str(files[0]), remedy=_RESTORE)
    if not profile.demand_class:
        raise InputError(code, "the profile has no rows", where=str(files[0]), remedy=_RESTORE)
    return profile


def read_virtual_modes(files: Sequence[Path], *, code: str) -> dict[int, str]:
    """Read ``virtual_classification_3B``: the mode of each merchant, one of `VIRTUAL_MODES`.

    Raises `InputError` ``code``: empty, nulls, an unknown mode, or two modes for one merchant.
    """
    columns = read_columns(files, {"merchant_id": Kind.ID, "virtual_mode": Kind.TEXT}, code=code)
    modes: dict[int, str] = {}
    for merchant, mode in zip(
        numbers(columns, "merchant_id").tolist(), text(columns, "virtual_mode").strings(), strict=True
    ):
        if mode not in VIRTUAL_MODES:
            what = f"merchant {merchant} has virtual_mode {mode!r}, none of {', '.join(VIRTUAL_MODES)}"
            raise InputError(code, what, where=str(files[0]), remedy=_RESTORE)
        if modes.setdefault(merchant, mode) != mode:
            what = f"merchant {merchant} is both {modes[merchant]} and {mode}"
            raise InputError(code, what, where=str(files[0]), remedy=_RESTORE)
    if not modes:
        raise InputError(code, "the classification has no rows", where=str(files[0]), remedy=_RESTORE)
    return modes
