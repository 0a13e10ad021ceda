"""How many: template, latent factor, intensity, and N from a uniform."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from seg5b.explain.facts import routed_scene
from seg5b.explain.life.subject import BucketStory
from seg5b.explain.life.words import amount, country, day, distinct, listed, wall_clock
from seg5b.query import literal
from seg5b.sheets import Section, Table
from seg5b.twin.numbers import exp, normal_quantile

_AROUND = 2
"""Counts that are shown before N; one is shown after it."""


def told_counts(story: BucketStory) -> Section:
    """Expected arrivals, the factor, lambda, and how N follows from u (laws L5, L6)."""
    values, notes = story.derived.values, story.derived.notes
    sentences = [_expected(story), *_factor(story)]
    policy = story.subject.policies.readings
    if "count" not in story.derived.draws:
        nothing = f"That is not more than {policy.zero_eps:g}: nothing is drawn, and N = 0."
        return Section("How many there were", (*sentences, nothing))
    draw, mean = story.derived.draws["count"], float(notes["poisson_mean"])
    u = draw.u0
    if notes["count_law"] == "nb2":
        u = draw.u1
        sentences.append(
            f"Counts scatter more widely than Poisson's (law nb2, kappa = {_kappa(values, notes)}): a first uniform, "
            f"{draw.u0:.6f}, turns the {amount(values['mu'])} into a mean of {amount(mean)} for this once."
        )
    exact = mean <= policy.exact_max
    sentences.append(_inversion(mean, u, exact))
    if values["count_capped"]:
        sentences.append(f"The policy allows at most {policy.count_cap:,}: N was cut to that.")
        return Section("How many there were", tuple(sentences))
    return Section("How many there were", tuple(sentences), (distribution(mean, u, int(values["count_N"]), exact),))


def _kappa(values: Mapping[str, Any], notes: Mapping[str, Any]) -> str:
    """The dispersion, and where it follows the mean what it is made of."""
    kappa = amount(values["kappa"])
    if "volume_power" not in notes:
        return kappa
    law = notes["volume_power"]
    scaled = (
        f"its group's, {amount(notes['group_kappa'])}, times (mean / {amount(law['reference_mean'])})^{law['power']:g}"
    )
    return f"{kappa}, {scaled}, at least {amount(law['least'])} and at most {amount(law['most'])}"


def _expected(story: BucketStory) -> str:
    """What segment 5A expected of this series in this bucket."""
    offset_min = routed_scene(story.subject).offset_minutes(story.zone, story.start_us)
    local = wall_clock(story.start_us, offset_min)
    parts, expected = story.derived.notes["surface_by_country"], amount(story.derived.values["lambda_baseline"])
    shares = listed(f"{amount(share)} in {country(code)}" for code, share in parts)
    more = f" ({shares}, added)" if len(parts) > 1 else ""
    return (
        f"In the {story.length} {story.span()} UTC, {story.span(offset_min)} of {day(local)} in {story.zone} (bucket "
        f"{story.bucket} of the scenario), the template of segment 5A expects {expected} arrivals of "
        f"this merchant in that zone by {story.channel}{more}."
    )


def _factor(story: BucketStory) -> list[str]:
    """The latent factor, and what it makes of the expectation."""
    values, notes, policy = story.derived.values, story.derived.notes, story.subject.policies.readings
    factor, realised = float(values["lambda_random_component"]), float(values["lambda_realised"])
    product = f"{amount(values['lambda_baseline'])} x {amount(factor)} = {amount(realised)}"
    cut = realised == policy.lambda_max
    more = f", cut to {amount(realised)}" if cut else ""
    outcome = f"So lambda, the intensity of this {story.length}, is {product}{more} arrivals."
    if not policy.has_field:
        return ["No latent field is switched on: the factor is 1.", outcome]
    if policy.has_levels:
        return [*_levels(story, factor), outcome]
    (members,) = story.subject.row(f"SELECT count(*) FROM grouping WHERE group_id = {literal(notes['group_id'])}")
    length = float(notes["correlation_length_buckets"])
    shared = f"which {members:,} series share" if members > 1 else "this series alone"
    span = f"correlated over about {amount(length)} buckets" if length else "independent from bucket to bucket"
    clipped = ", a limit of the policy" if factor in policy.factor_bounds else ""
    return [
        f"Trade was {'livelier' if factor > 1 else 'quieter'} than that: the latent factor of its group, {shared}, stood at "
        f"{amount(factor)}{clipped} (log-normal around 1, sigma {amount(notes['sigma'])}, {span}).",
        outcome,
    ]


def _levels(story: BucketStory, factor: float) -> list[str]:
    """The three paths that the factor is made of."""
    notes = story.derived.notes
    sigma, levels = float(notes["sigma"]), notes["levels"]
    names = {
        "country": f"its country ({country(levels['country']['name'])})",
        "zone": f"its time zone ({levels['zone']['name']})",
    }
    told = [
        f"{names.get(name, 'a path that is its own')} {sigma * level['variance_share'] ** 0.5 * level['value']:+.4f} "
        f"({level['variance_share']:.0%} of the variance, correlated over about {amount(level['length_buckets'])} buckets)"
        for name, level in levels.items()
    ]
    return [
        f"Trade was {'livelier' if factor > 1 else 'quieter'} than that: the latent factor of this series stood at "
        f"{amount(factor)} (log-normal around 1, sigma {amount(sigma)}).",
        f"Its logarithm is a sum: {listed(told)}, less {sigma * sigma / 2:.4f}, which makes the mean one.",
    ]


def _inversion(mean: float, u: float, exact: bool) -> str:
    if exact:
        return (
            f"A uniform u = {u:.6f} then says N: the smallest n for which a Poisson count of mean {amount(mean)} is at most n "
            "with a probability of u or more."
        )
    z = normal_quantile(u)
    return (
        f"A uniform u = {u:.6f} then says N. For a mean as large as {amount(mean)} Poisson's law is taken as normal: "
        f"z = {z:.4f} is exceeded with probability 1 - u, and N is mean + z sqrt(mean) = {amount(mean + z * mean**0.5)}, "
        "rounded."
    )


def distribution(mean: float, u: float, count: int, exact: bool) -> Table:
    """The distribution function around N, so that one sees N from u."""
    first, stop = max(count - _AROUND, 0), count + 2
    at_most = _poisson(mean, stop) if exact else _normal(mean, stop)
    shown = range(first, stop)
    exactly = [at_most[n] - (at_most[n - 1] if n else 0.0) for n in shown]
    texts = distinct([u, *(at_most[n] for n in shown)], 6)
    rows = tuple(
        (
            str(n),
            f"{chance:.6f}" if chance >= 1e-5 else amount(chance),
            texts[1 + place],
            "yes" if at_most[n] >= u else "no",
        )
        for place, (n, chance) in enumerate(zip(shown, exactly, strict=True))
    )
    columns = ("n", "P(exactly n)", "P(at most n)", f"reaches {texts[0]}")
    return Table("N from u", columns, rows, frozenset(columns[:3]), count - first, "N")


def _poisson(mean: float, stop: int) -> list[float]:
    """P(at most n) for n < ``stop``."""
    term = total = exp(-mean)
    sums = [total]
    for n in range(1, stop):
        term = term * mean / n
        total += term
        sums.append(total)
    return sums


def _normal(mean: float, stop: int) -> list[float]:
    """The same by the normal approximation, whose rounding gives n all of (n - 1/2, n + 1/2]."""
    normal = NormalDist(mean, mean**0.5)
    return [normal.cdf(n + 0.5) for n in range(stop)]
