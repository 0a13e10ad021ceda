"""Which arrival: by merchant, site and time, and what there is where none is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seg5b.errors import RunError
from seg5b.rows import Moment, condition_of
from seg5b.run_tables.subject import Subject
from seg5b.twin.merchants import MISSING

_NEAREST = 3
_COLUMNS = """merchant_id, arrival_seq, epoch_us(ts_utc) AS ts_us, tzid_primary, utc_offset_min_primary, is_virtual, site_id,
              edge_id, channel_group"""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of an arrival: its merchant, its site, and that it is at [``start``, ``end``) (None: no bound); moments
    without an offset are UTC."""

    merchant_id: int | None = None
    site_id: int | None = None
    start: Moment | None = None
    end: Moment | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An arrival that fits: its key, instant (microseconds since 1970), zone and offset (minutes) of its primary clock, and
    where it landed (``edge_id`` of a virtual one, else ``site_id``)."""

    merchant_id: int
    arrival_seq: int
    ts_us: int
    tzid_primary: str
    utc_offset_min_primary: int
    is_virtual: bool
    site_id: int | None
    edge_id: int | None
    channel_group: str


def seek(subject: Subject, sought: Sought, limit: int) -> tuple[list[Candidate], int]:
    """The earliest ``limit`` arrivals that fit (ties: merchant, number), and how many there are in all.

    Raises `RunError` ``5B.EXPLAIN.NOT_FOUND`` where there is none, with what there is instead, and
    ``5B.RUN.SELECTION_INVALID`` for moments that are none.
    """
    where = condition_of(sought.merchant_id, sought.start, sought.end) or "TRUE"
    if sought.site_id is not None:
        where += f" AND site_id = {sought.site_id}"
    (total,) = subject.row(f"SELECT count(*) FROM arrivals_all WHERE {where}")
    if not total:
        raise _none(subject, sought)
    records = subject.records(
        f"SELECT {_COLUMNS} FROM arrivals_all WHERE {where} ORDER BY ts_utc, merchant_id, arrival_seq LIMIT {limit}"
    )
    return [Candidate(**record) for record in records], int(total)


def _none(subject: Subject, sought: Sought) -> RunError:
    """Why nothing fits: an unknown merchant or site first."""
    for name, wanted, table in (("merchant", sought.merchant_id, "modes"), ("site", sought.site_id, "sites")):
        if wanted is not None:
            unknown = refused_id(subject, name, wanted, table)
            if unknown:
                return unknown
    what = f"no arrival of {subject.scenario_id} fits: {_said(sought)}"
    bounds = subject.row("SELECT min(ts_utc)::VARCHAR, max(ts_utc)::VARCHAR FROM arrivals_all")
    remedy = f"ask for a longer time; the arrivals of the scenario lie from {bounds[0]} to {bounds[1]} (UTC)"
    return RunError(MISSING, what, where="arrival_events_5B", remedy=remedy)


def refused_id(subject: Subject, name: str, wanted: int, table: str) -> RunError | None:
    """The error for a merchant or site that ``table`` does not have, with the nearest that it has; None for a known one."""
    column = f"{name}_id"
    nearest = [
        row[0]
        for row in subject.rows(
            f"""SELECT {column} FROM (SELECT DISTINCT {column} FROM {table})
                ORDER BY abs({column}::HUGEINT - {wanted}::HUGEINT), {column} LIMIT {_NEAREST}"""
        )
    ]
    if wanted in nearest:
        return None
    (known,) = subject.row(f"SELECT count(DISTINCT {column}) FROM {table}")
    what = f"the run has no {name} {wanted}"
    listed = ", ".join(map(str, nearest))
    where = "virtual_classification_3B" if name == "merchant" else "s1_site_weights"
    return RunError(MISSING, what, where=where, remedy=f"it has {known:,}; the nearest ids are {listed}")


def _said(sought: Sought) -> str:
    known: Mapping[str, object] = {
        "merchant": sought.merchant_id, "site": sought.site_id, "from": sought.start, "to": sought.end,
    }  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)


def arrivals_of(subject: Subject, merchant_id: int) -> int:
    """How many arrivals a merchant has in the scenario, by S3's counts."""
    (total,) = subject.row(f"SELECT coalesce(sum(count_N), 0)::BIGINT FROM counts WHERE merchant_id = {merchant_id}")
    return int(total)
