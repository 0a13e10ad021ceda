"""What the gates are measured with, beside S5's own measures: checks whose facts are kept per scenario."""

from __future__ import annotations

from collections.abc import Callable

from seg5b.clocks import read_manifest
from seg5b.realism.channels import channels
from seg5b.realism.dispersion import dispersion, memory, offsets
from seg5b.realism.expected import expected_totals
from seg5b.realism.hours import hours
from seg5b.realism.noise import noise
from seg5b.realism.places import places
from seg5b.realism.profile import profile_cells
from seg5b.realism.staircase import staircase
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks import rederivation
from seg5b.validation.records import Check, Compute, Finding
from seg5b.validation.registry import CHECKS

_OF_S5 = (
    "clock.primary_wall",
    "clock.operational_wall",
    "clock.settlement_wall",
    "civil.cache_covers_horizon",
    "s1.grouping_order",
    "s2.canonical",
    "s3.canonical",
    "s4.sequence",
    "s4.unique_key",
)
WALLS = _OF_S5[:3]
UNIQUE = _OF_S5[4:]
REPLAYED = tuple(check.check_id for check in rederivation.CHECKS)


def conservation(subject: Subject) -> Finding:
    """T4: keys whose arrivals are not their count, and the difference of the two totals."""
    mismatches, counted, arrivals = subject.row(
        """SELECT (SELECT count(*) FROM (SELECT * FROM counts WHERE count_N <> 0)
                   FULL JOIN bucket_arrivals USING (merchant_id, zone_representation, channel_group, bucket_index)
                   WHERE count_N IS DISTINCT FROM arrivals),
                  (SELECT coalesce(sum(count_N), 0)::BIGINT FROM counts),
                  (SELECT coalesce(sum(rows), 0)::BIGINT FROM part_tables)"""
    )
    facts = {"mismatches": mismatches, "residual": counted - arrivals, "arrivals": arrivals}
    return Finding(int(mismatches > 0 or counted != arrivals), (), arrivals, facts)


def routing(subject: Subject) -> Finding:
    """T5: arrivals without the id of their route, or with that of the other."""
    rows, wrong = subject.row(
        """SELECT (SELECT coalesce(sum(judged), 0)::BIGINT FROM part_tables),
                  (SELECT coalesce(sum(arrivals), 0)::BIGINT FROM row_faults WHERE condition = 'routeless')"""
    )
    return Finding(wrong, (), rows, {"violations": wrong, "arrivals": rows})


def cache_release(subject: Subject) -> Finding:
    """T11: year of the zone database behind the cache, and the last year of arrivals."""
    manifests = [path for path in subject.gate.files("tz_timetable_cache") if path.suffix == ".json"]
    tags = [read_manifest(path, code="5B.REALISM.CACHE_UNREADABLE").get("tzdb_release_tag") for path in manifests]
    tag = next((tag for tag in tags if tag), "")
    (year,) = subject.row("SELECT extract(year FROM make_timestamp(max(latest_us))) FROM part_tables")
    release = int(tag[:4]) if tag[:4].isdecimal() and tag[:4].isascii() else None
    return Finding(0, (), 1, {"tag": tag, "release_year": release, "last_year": year})


def markers(subject: Subject) -> Finding:
    """T12: local clocks that carry a zone or a ``Z``, outside UTC zones."""
    kinds = {row[0]: str(row[1]) for row in subject.rows("DESCRIBE arrivals")}
    rows, wrong = subject.row("SELECT coalesce(sum(judged), 0)::BIGINT, 0 FROM part_tables")
    for clock in ("primary", "operational", "settlement"):
        kind, column = kinds.get(f"ts_local_{clock}", ""), f"ts_local_{clock}"
        if kind == "TIMESTAMP":
            continue
        marked = "TRUE" if kind.startswith("TIMESTAMP WITH") else f"regexp_matches({column}::VARCHAR, '(Z|[+-]..:..)$')"
        (found,) = subject.row(
            f"""SELECT coalesce(count_if({marked}), 0) FROM arrivals
                WHERE tzid_{clock} NOT IN ('UTC', 'Etc/UTC', 'Etc/GMT', 'Etc/Universal', 'Etc/Zulu')"""
        )
        wrong += found
    return Finding(wrong, (), rows, {"markers": wrong, "arrivals": rows})


def _probe(name: str, states: str, function: Callable[[Subject], Finding], *needs: str) -> Check:
    return Check(f"realism.{name}", "5B.REALISM", "", "realism", states, Compute(function), needs=needs)


PROBES = (
    *(check for check in CHECKS if check.check_id in _OF_S5),
    _probe("t4", "arrivals are as counted", conservation, "counts", "bucket_arrivals", "part_tables"),
    _probe("t5", "routes have their id", routing, "row_faults", "part_tables"),
    _probe("t11", "the cache is recent enough", cache_release, "part_tables"),
    _probe("t12", "wall clocks carry no zone", markers, "arrivals", "part_tables"),
    _probe(
        "t13", "arrivals come at the expected local hours", profile_cells,
        "cells", "hours", "grouping", "series", "modes", "edges", "intensity", "cache_steps",
    ),
    _probe("t15_counts", "counts scatter as the law says", dispersion, "counts", "series"),
    _probe("t15_memory", "fields are autocorrelated as the law says", memory, "intensity", "series", "grouping"),
    _probe("t15_offsets", "offsets lie in their buckets as the law of placement says", offsets, "offset_bins",
        "offset_hours", "counts"),
    _probe(
        "expected", "totals are near what the laws expect", expected_totals,
        "counts", "intensity_faults", "count_faults", "series", "grouping", "modes", "edges", "merchant_parts", "cells",
        "offset_bins",
    ),
    _probe(
        "t16", "payments lie where people pay", places,
        "site_routes", "sites", "cells", "grouping", "arrivals", "series", "modes", "edges", "intensity",
    ),
    _probe(
        "t17", "people pay when people do", hours, "cells", "hours", "grouping", "sites", "edges", "cache_steps",
    ),
    _probe("t18", "days scatter as those of shops do", noise, "arrivals", "site_routes"),
    _probe("t19", "the rate goes on across boundaries", staircase, "arrivals", "grouping", "cache_steps"),
    _probe("t20", "remote payments are remote", channels, "cells", "hours"),
    *rederivation.CHECKS,
)  # fmt: skip
