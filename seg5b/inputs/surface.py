"""The 5A surface: expected arrivals of every country component (merchant, country, tzid) in every bucket.

Its keys and volumes, in whatever order upstream wrote them; `seg5b.inputs.surface_blocks` streams its values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.axes.vocabulary import Vocabulary, run_starts
from seg5b.errors import InputError
from seg5b.inputs.surface_keys import MOST_NAMES, NAMES, KeyTable, packed_names, unpacked
from seg5b.tables.reading import Columns, Kind, column_names, iterate_columns, numbers, text

KEY = {"merchant_id": Kind.ID, "legal_country_iso": Kind.TEXT, "tzid": Kind.TEXT}
CHANNEL = {"channel_group": Kind.TEXT}
CELL = {"local_horizon_bucket_index": Kind.INTEGER, "lambda_local_scenario": Kind.NUMBER}


@dataclass(frozen=True, slots=True)
class Components:
    """Distinct keys [C] of a surface in series order: merchant as uint64, then tzid, channel and country by bytes.

    ``merchant_id`` uint64; ``country``, ``tzid``, ``channel`` strings; ``channel`` is empty where the surface has no
    such column.
    """

    merchant_id: np.ndarray
    country: tuple[str, ...]
    tzid: tuple[str, ...]
    channel: tuple[str, ...]

    def __len__(self) -> int:
        return self.merchant_id.size


def scan_components(files: Sequence[Path], scenario_id: str, *, code: str) -> Components:
    """Distinct component keys of a scenario's surface, in any file order.

    Raises `InputError` ``code``: nulls, a row of another scenario, a blank channel, no rows.
    """
    has_channel = "channel_group" in column_names(files[0], code=code)
    kinds = {"scenario_id": Kind.TEXT, **KEY, **(CHANNEL if has_channel else {})}
    names = [Vocabulary() for _ in NAMES]
    found = KeyTable()
    for batch in iterate_columns(files, kinds, code=code):
        _check_scenario(batch, scenario_id, files[0], code)
        merchant, keys = numbers(batch, "merchant_id"), packed_names(batch, names)
        if any(len(vocabulary.values) > MOST_NAMES for vocabulary in names):
            what = f"more than {MOST_NAMES} different countries, zones or channels"
            raise InputError(code, what, where=str(files[0]), remedy="restore the surface of 5A")
        starts = run_starts(merchant, keys)
        found.numbers(merchant[starts], keys[starts])
    if not len(found):
        raise InputError(code, "the surface has no rows", where=str(files[0]), remedy="restore the surface of 5A")
    return _in_order(found, names, has_channel, files[0], code)


def _check_scenario(batch: Columns, scenario_id: str, file: Path, code: str) -> None:
    column = text(batch, "scenario_id")
    foreign = [column.values[used] for used in np.unique(column.codes) if column.values[used] != scenario_id]
    if foreign:
        raise InputError(
            code,
            f"rows of scenario {foreign[0]!r} lie in the partition of {scenario_id!r}",
            where=str(file),
            remedy="restore the partition that 5A wrote",
        )


def _in_order(found: KeyTable, names: list[Vocabulary], has_channel: bool, file: Path, code: str) -> Components:
    countries, tzids, channels = (vocabulary.values for vocabulary in names)
    blank = [channel for channel in channels if not channel.strip()]
    if blank:
        raise InputError(code, "channel_group is blank", where=str(file), remedy="upstream must name a channel")
    merchants, keys = found.pairs
    coded = zip(merchants.tolist(), *(column.tolist() for column in unpacked(keys)), strict=True)
    rows = [(m, tzids[z], channels[h] if has_channel else "", countries[c]) for m, c, z, h in coded]
    rows.sort(key=lambda row: (row[0], row[1].encode(), row[2].encode(), row[3].encode()))
    merchant, tzid, channel, country = zip(*rows, strict=True)
    return Components(np.array(merchant, np.uint64), country, tzid, channel)


def component_volumes(
    files: Sequence[Path], keys: Collection[tuple[int, str, str]], *, code: str
) -> dict[tuple[int, str, str], float]:
    """Expected arrivals over the horizon, float64 sums in file order, of the components named by
    (merchant_id, country, tzid). Raises `InputError` ``code``, also where sums of finite numbers are not finite."""
    finite = True
    volumes = dict.fromkeys(keys, 0.0)
    kinds = {**KEY, "lambda_local_scenario": Kind.NUMBER}
    for batch in iterate_columns(files, kinds, code=code):
        merchant, country, tzid = numbers(batch, "merchant_id"), text(batch, "legal_country_iso"), text(batch, "tzid")
        expected = numbers(batch, "lambda_local_scenario")
        finite = finite and bool(np.isfinite(expected).all())
        starts = run_starts(merchant, country.codes, tzid.codes)
        with np.errstate(over="ignore", invalid="ignore"):
            totals = np.add.reduceat(expected, starts) if starts.size else expected
        for start, total in zip(starts.tolist(), totals, strict=True):
            key = (int(merchant[start]), country.values[country.codes[start]], tzid.values[tzid.codes[start]])
            if key in volumes:
                volumes[key] += float(total)
    odd = next((key for key, volume in volumes.items() if not np.isfinite(volume)), None)
    if finite and odd:  # a value that is not finite itself is found, and named, where its bucket is read
        what = f"the values of {odd} have no finite sum"
        raise InputError(code, what, where=str(files[0]), remedy="restore the surface of 5A")
    return volumes
