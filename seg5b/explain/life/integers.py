"""The integers behind a story: messages, keys, counters, words, table slots."""

from __future__ import annotations

from collections.abc import Mapping

from seg5b.explain.life.parts import Integers
from seg5b.explain.life.subject import ArrivalStory, BucketStory
from seg5b.twin.randomness import Draw

_WHAT = {
    "latent": "Latent factor", "latent_country": "Path of the country", "latent_zone": "Path of the time zone",
    "latent_own": "Path of the series", "count": "Count", "time": "Second", "site": "Coin and site", "edge": "Edge",
    "temper": "Leading elsewhere",
}  # fmt: skip
_TABLES = {"tz_group": "Table of zones", "site": "Table of sites", "edge": "Table of edges",
           "edge_again": "Table of other edges"}  # fmt: skip


def bucket_integers(story: BucketStory) -> tuple[Integers, ...]:
    """Behind factor and count."""
    identity = story.subject.root.identity
    run = {
        "run_id": identity.run_id,
        "seed": str(identity.seed),
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "scenario_id": story.subject.scenario_id,
        "group_id": str(story.derived.notes["group_id"]),
    }
    return (Integers("The run", run), *_draws(story.derived.draws))


def arrival_integers(story: ArrivalStory) -> tuple[Integers, ...]:
    """Behind everything about an arrival."""
    notes = story.derived.notes
    names = ("rank_in_bucket", "draw_index", "offset_us", "virtual_before_in_row")
    place = {name: str(notes[name]) for name in names if name in notes}
    clocks = {
        name: str(value) for name, value in story.derived.values.items() if name.endswith("_us") or "_us_" in name
    }
    tables = tuple(
        Integers(
            _TABLES[name],
            {
                "u": repr(pick.u),
                "entries": str(pick.entries),
                "u x entries": repr(pick.scaled),
                "slot": str(pick.slot),
                "kept below": repr(pick.probability),
                "alias": str(pick.alias),
                "entry": str(pick.entry),
            },
        )
        for name, pick in story.derived.picks.items()
    )
    place = {**place, **clocks}
    return (*bucket_integers(story.bucket), *_draws(story.derived.draws), *tables, Integers("Place and clocks", place))


def _draws(draws: Mapping[str, Draw]) -> tuple[Integers, ...]:
    return tuple(_draw(_WHAT[name], draw) for name, draw in draws.items())


def _draw(title: str, draw: Draw) -> Integers:
    found = draw.as_json()
    words, uniforms = found.pop("words"), found.pop("uniforms")
    values = {name: str(value) for name, value in found.items()}
    for place in (0, 1):
        values |= {f"word {place}": words[place], f"u{place}": repr(uniforms[place])}
    return Integers(title, values)
