"""Do latent paths step as their law says? (law L5, docs/laws#law-tests)"""

from __future__ import annotations

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.checks.law_counts import BLOCK, CODE, FIELD
from seg5b.validation.own_steps import own_steps
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding
from seg5b.validation.trials import Trial, grouped, judge

_SUMS = ("steps", "step_sum", "step_squares", "pairs", "pair_products")
_KINDS = {"group": "group_id", "class": "demand_class"}


def _steps(subject: Subject) -> Finding:
    """Steps have mean 0 and variance 1, and do not depend on the step before."""
    rows = own_steps(subject) if subject.policies.readings.has_levels else _steps_of_groups(subject)
    columns = [rows[name] for name in _SUMS]
    trials: list[Trial] = []
    for kind, key in {**_KINDS, "run": ""}.items():
        keys, (steps, total, squares, pairs, products) = grouped(
            [rows[key]] if key else [np.zeros(len(columns[0]), np.int8)], columns
        )
        named = {key: keys[0]} if key else {}
        trials += [
            Trial(f"mean step of a {kind}", named, tails.sums(total, steps), {"steps": steps, "sum": total}),
            Trial(f"squared steps of a {kind}", named, tails.squares(squares, steps), {"steps": steps, "sum": squares}),
            Trial(
                f"steps beside steps of a {kind}",
                named,
                tails.products(products, steps),
                {"pairs": pairs, "sum": products},
            ),
        ]
    return judge(subject, [trial for trial in trials if trial.log_p.size])


def _steps_of_groups(subject: Subject) -> dict[str, np.ndarray]:
    """Sums over the steps of each group's path, from the walk over the intensities."""
    return subject.arrays(
        """SELECT i.*, group_id, demand_class FROM intensity_series i
           JOIN (SELECT k, group_id, demand_class FROM series) USING (k)
           WHERE steps > 0 AND group_id IS NOT NULL AND demand_class IS NOT NULL
           ORDER BY k, merchant_id, zone_representation, channel_group"""
    )


def _distinct(subject: Subject) -> Finding:
    """Groups whose factors are those of another group in every bucket; a path that lies on its clip throughout is none."""
    if subject.policies.readings.has_levels:
        return _distinct_series(subject)
    found = subject.records(
        f"""WITH paths AS (SELECT k, bit_xor(path) AS path, sum(steps) AS steps FROM intensity_series GROUP BY ALL)
            SELECT min(group_id) AS group_id, max(group_id) AS other_group_id, count(DISTINCT group_id) AS groups
            FROM paths JOIN series USING (k) WHERE steps > 0 GROUP BY path HAVING count(DISTINCT group_id) > 1
            ORDER BY 1 LIMIT {MOST_KEYS}"""
    )
    (groups,) = subject.row("SELECT count(DISTINCT group_id) FROM series")
    return Finding(len(found), tuple(found), groups)


def _distinct_series(subject: Subject) -> Finding:
    """Series whose factors are those of another series in every bucket."""
    found = subject.records(
        f"""WITH paths AS (SELECT k, bit_xor(path) AS path FROM intensity_series GROUP BY ALL),
                 alike AS (SELECT min(k) AS k, max(k) AS other, count(*) AS series FROM paths GROUP BY path HAVING count(*) > 1)
            SELECT s.merchant_id, s.zone_representation, s.channel_group, o.merchant_id AS other_merchant_id,
                   o.zone_representation AS other_zone_representation, alike.series
            FROM alike JOIN series s ON s.k = alike.k JOIN series o ON o.k = alike.other ORDER BY 1, 2, 3 LIMIT {MOST_KEYS}"""
    )
    (series,) = subject.row("SELECT count(*) FROM series")
    return Finding(len(found), tuple(found), series)


def _has_model(subject: Subject) -> str:
    return "" if subject.policies.readings.has_field else "the latent model is none"


CHECKS = (
    Check(
        "law.paths_step",
        CODE,
        FIELD,
        BLOCK,
        "steps of the latent paths (of own ones, where several make a factor) are independent standard normal numbers, by "
        "group, by class and over all",
        Compute(_steps),
        needs=("intensity_series", "series"),
        applies=_has_model,
        must_have_rows=False,
    ),
    Check(
        "law.paths_differ",
        CODE,
        FIELD,
        BLOCK,
        "no two groups have the same latent path; no two series, where each has its own",
        Compute(_distinct),
        needs=("intensity_series", "series"),
        applies=_has_model,
        must_have_rows=False,
    ),
)
