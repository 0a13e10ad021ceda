"""Laws of the engine that a specification asks for, and cannot have in every world (docs/laws#world-policies)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import MOST_SIGMA, SHARED_LEVELS, TWO_LEVEL


def check_engine_laws(complete: Mapping[str, Any], channels: Iterable[str]) -> None:
    """Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where the latent field, the dispersion of counts or the coins of a resolved
    specification, whose world has these ``channels``, cannot be."""
    _check_levels(complete["latent"])
    _check_coins(complete["policies"], channels)
    _check_dispersion(complete["dispersion"])


def _check_coins(policies: Mapping[str, Mapping[str, Any]], channels: Iterable[str]) -> None:
    key = "hybrid_policy.virtual_share_profile"
    coins = policies.get("arrival_routing_policy_5B", {}).get(key)
    if not isinstance(coins, Mapping):
        return
    for name in coins:
        if name not in channels:
            where = f"policies.arrival_routing_policy_5B.{key}.{name}"
            raise refusal(
                where, coins[name], "is of no channel of this world", f"name one of {', '.join(sorted(channels))}"
            )


def _check_levels(latent: Mapping[str, Any]) -> None:
    if "levels" in latent and latent.get("model") != TWO_LEVEL:
        what = f"is of {TWO_LEVEL} alone"
        raise refusal("latent.levels", latent["levels"], what, f"leave it out, or state latent.model: {TWO_LEVEL}")
    levels = latent.get("levels", {})
    for band, sigma in latent.get("sigma", {}).items():
        if latent.get("model") == TWO_LEVEL and sigma > MOST_SIGMA:
            what = f"is above {MOST_SIGMA:g}, and nothing clips what a whole country or time zone shares"
            raise refusal(f"latent.sigma.{band}", sigma, what, f"lower it, or leave out latent.model: {TWO_LEVEL}")
    shares = [{**usual, **levels.get(name, {})}["variance_share"] for name, usual in SHARED_LEVELS.items()]
    if math.fsum(shares) >= 1.0:
        what = f"leave nothing of the variance to a series of its own: {math.fsum(shares):g}"
        raise refusal(
            "latent.levels", latent["levels"], what, "let variance_share of country and zone be below 1 together"
        )


def _check_dispersion(dispersion: Mapping[str, Any]) -> None:
    if dispersion.get("law") == "poisson" and "volume_power" in dispersion:
        what = "is of nb2 alone"
        remedy = "leave it out, or state dispersion.law: nb2"
        raise refusal("dispersion.volume_power", dispersion["volume_power"], what, remedy)
