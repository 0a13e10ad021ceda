"""SQL tables over the sealed inputs: virtual modes, sites, edges, settlement, the 5A surface and profile."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.errors import InputError
from seg5b.foreign_json import Form, read_json
from seg5b.query import parquet
from seg5b.refusals import pass_on_refusal
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue

INCONSISTENT = "5B.S5.S0_SEALED_INPUTS_INCONSISTENT"
SURFACE = "merchant_zone_scenario_local_5A"


def attach_run_inputs(subject: Subject) -> Subject:
    """Tables that all scenarios share: ``modes`` (what a merchant is classified as, and what it is routed as), ``sites``,
    ``edges``, ``settlement``, ``profile``,
    ``first_countries`` (of each merchant in each zone, the country whose latent path it may share), ``group_weights``."""
    catalogue = Catalogue(subject)
    _view(catalogue, "modes", "virtual_classification_3B", _modes(subject))
    _view(
        catalogue,
        "edges",
        "edge_catalogue_3B",
        """SELECT merchant_id::UBIGINT AS merchant_id, edge_id AS edge_text, ('0x' || edge_id)::UBIGINT AS edge_id,
                  tzid_operational AS tzid, country_iso AS country, edge_weight::DOUBLE AS weight""",
    )
    if subject.gate.has("virtual_settlement_3B"):
        select = "SELECT merchant_id::UBIGINT AS merchant_id, tzid_settlement AS tzid"
        _view(catalogue, "settlement", "virtual_settlement_3B", select)
    else:
        catalogue.sql("settlement", "SELECT 0::UBIGINT AS merchant_id, '' AS tzid WHERE FALSE")
    columns = "merchant_id::UBIGINT AS merchant_id, legal_country_iso, tzid"
    _view(
        catalogue, "profile", "merchant_zone_profile_5A", f"SELECT {columns}, demand_class, channel_group", kind="VIEW"
    )
    first = "SELECT merchant_id, tzid, min(legal_country_iso) AS country FROM profile GROUP BY ALL"
    catalogue.sql("first_countries", first, kind="VIEW", needs=("profile",))
    weights = "SELECT merchant_id::UBIGINT AS merchant_id, utc_day, tz_group_id, p_group"
    _view(catalogue, "group_weights", "s4_group_weights", weights, kind="VIEW")
    catalogue.add("sites", lambda: _attach_sites(subject))
    return catalogue.finished(subject)


def attach_scenario_inputs(subject: Subject) -> Subject:
    """The scenario's ``components``: one row per country component of the surface, with rows, volume (sum of lambda)
    and moment (sum of lambda times the weight of its bucket), and its channel (from the profile where the surface has none).
    """
    catalogue = Catalogue(subject)
    _view(catalogue, "surface", SURFACE, "SELECT *", kind="VIEW")
    if "surface" in catalogue.tables:
        names = {row[0] for row in subject.rows("DESCRIBE surface")}
        channel = "s.channel_group" if "channel_group" in names else "p.channel_group"
        join = "" if "channel_group" in names else "JOIN profile p USING (merchant_id, legal_country_iso, tzid)"
        catalogue.sql(
            "components",
            f"""SELECT s.merchant_id::UBIGINT AS merchant_id, s.legal_country_iso, s.tzid, {channel} AS channel_group,
                       count(*) AS rows, sum(lambda_local_scenario::DOUBLE) AS volume,
                       sum(lambda_local_scenario::DOUBLE * {_weight(subject)}) AS moment
                FROM surface s {join} GROUP BY ALL""",
        )
    else:
        catalogue.missing["components"] = catalogue.missing["surface"]
    return catalogue.finished(subject)


def weight_salt(subject: Subject) -> int:
    """What the weights of buckets start from, 32 bits: another number for other inputs."""
    return int(subject.gate.sealed_inputs_digest[:8], 16)


def _weight(subject: Subject) -> str:
    """The weight of a bucket in SQL, as `seg5b.part_scan.cells.walk.weight` has it."""
    first = (
        f"(((local_horizon_bucket_index::BIGINT + 1) % 2147483648 * 2654435761 + {weight_salt(subject)}) % 4294967296)"
    )
    second = f"(xor({first}, {first} >> 16) * 73244475 % 4294967296)"
    return f"(xor({second}, {second} >> 15) / 4294967296.0::DOUBLE)"


def site_id(merchant_id: int, country: str, site_order: int) -> int:
    """Little-endian uint64 of the last 8 bytes of SHA-256 of ``merchant:country:order``; 0 becomes 1. Written apart from
    `seg5b.inputs.sites`: S5 judges the ids that S4 made with that."""
    digest = hashlib.sha256(f"{merchant_id}:{country}:{site_order}".encode()).digest()
    return int.from_bytes(digest[24:], "little") or 1


def made_up_site_id(merchant_id: int, tzid: str) -> int:
    """The like of ``fallback:merchant:zone``."""
    digest = hashlib.sha256(f"fallback:{merchant_id}:{tzid}".encode()).digest()
    return int.from_bytes(digest[24:], "little") or 1


def sealed_json(subject: Subject, artifact_id: str, form: Form) -> dict[str, Any]:
    """A sealed JSON object of the ``form``. Raises `InputError` ``5B.S5.S0_SEALED_INPUTS_INCONSISTENT``."""
    return contracted_json(subject.gate.path(artifact_id), form, artifact_id)


def contracted_json(path: Path, form: Form, artifact_id: str) -> dict[str, Any]:
    """A JSON object of the ``form``, called ``artifact_id``. Raises as `sealed_json`."""
    try:
        fields: dict[str, Any] = read_json(path, form)
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        what = f"{artifact_id} is not usable: {cause}"
        raise InputError(INCONSISTENT, what, where=path.name, remedy="restore the sealed file") from cause
    return fields


def _view(catalogue: Catalogue, name: str, artifact_id: str, select: str, *, kind: str = "TABLE") -> None:
    def make() -> None:
        files = catalogue.subject.sealed_files(artifact_id)
        catalogue.subject.run(f"CREATE OR REPLACE {kind} {name} AS {select} FROM {parquet(files)}")

    catalogue.add(name, make)


def _modes(subject: Subject) -> str:
    """A merchant without a single site is routed as a virtual one if it has edges and the policy allows it."""
    routed = "virtual_mode"
    if makes_up_sites(subject):
        weights, edges = (parquet(subject.sealed_files(name)) for name in ("s1_site_weights", "edge_catalogue_3B"))
        routed = f"""CASE WHEN merchant_id IN (SELECT merchant_id FROM {edges})
                           AND merchant_id NOT IN (SELECT merchant_id FROM {weights})
                     THEN 'VIRTUAL_ONLY' ELSE virtual_mode END"""
    return f"SELECT merchant_id::UBIGINT AS merchant_id, virtual_mode AS classified_mode, {routed} AS virtual_mode"


def makes_up_sites(subject: Subject) -> bool:
    """Whether the routing policy makes sites up for merchants that have none."""
    return subject.policies.readings.on_missing_site_table == "merchant_or_made_up_sites"


def _made_up_sites(subject: Subject) -> list[tuple[Any, ...]]:
    """(merchant, country, order, zone, weight) of every site that might be made up: country and order say nothing."""
    if not makes_up_sites(subject):
        return []
    weights, edges, profile, groups = (
        parquet(subject.sealed_files(name))
        for name in ("s1_site_weights", "edge_catalogue_3B", "merchant_zone_profile_5A", "s4_group_weights")
    )
    return subject.rows(
        f"""SELECT merchant_id::UBIGINT, '', 0, tzid, 1.0::DOUBLE
            FROM (SELECT merchant_id, tzid FROM {profile} UNION SELECT merchant_id, tz_group_id FROM {groups})
            WHERE merchant_id NOT IN (SELECT merchant_id FROM {weights} UNION SELECT merchant_id FROM {edges}
                                      WHERE merchant_id IS NOT NULL)
            ORDER BY 1, 4"""
    )


def _attach_sites(subject: Subject) -> None:
    """``sites``: id, merchant, zone, country, order and weight of every site that has a weight; and of those that may have been
    made up, whose country is empty."""
    weights, zones = (subject.sealed_files(name) for name in ("s1_site_weights", "site_timezones"))
    rows = subject.rows(
        f"""SELECT merchant_id::UBIGINT, legal_country_iso, site_order::BIGINT, tzid, p_weight::DOUBLE
            FROM {parquet(weights)} AS w LEFT JOIN {parquet(zones)} AS z
                 USING (merchant_id, legal_country_iso, site_order)
            ORDER BY 1, 2, 3"""
    )
    odd = [row for row in rows if None in row[:3] or row[4] is None or not math.isfinite(row[4])]
    if odd:
        what = f"s1_site_weights has {len(odd)} rows without a merchant, country, order or finite weight"
        raise InputError(INCONSISTENT, what, where="s1_site_weights", remedy="restore what segment 2B wrote")
    made_up = _made_up_sites(subject)
    ids = [site_id(*row[:3]) for row in rows] + [made_up_site_id(row[0], row[3]) for row in made_up]
    rows += made_up
    kinds = {
        "site_id": "UBIGINT",
        "merchant_id": "UBIGINT",
        "country": "VARCHAR",
        "site_order": "BIGINT",
        "tzid": "VARCHAR",
        "weight": "DOUBLE",
    }
    columns = {
        "site_id": np.array(ids, np.uint64),
        "merchant_id": np.array([row[0] for row in rows], np.uint64),
        "country": np.array([row[1] for row in rows], object),
        "site_order": np.array([row[2] for row in rows], np.int64),
        "tzid": np.array([row[3] for row in rows], object),
        "weight": np.array([row[4] for row in rows], np.float64),
    }
    subject.database.table("sites", columns, kinds)
