"""`World`: a world of one's own, from a specification to a run root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.progress import unreported
from seg5b.resources import resource_root
from seg5b.runs.root import default_runs_root
from seg5b.world.forecast import Forecast, forecast
from seg5b.world.make import draft_world, make_from_plan
from seg5b.world.plan import CALIBRATED, WorldPlan
from seg5b.world.spec import plan_of, preset_path, read_spec, with_values
from seg5b.world.spec.idle import idle_requests
from seg5b.world.steps import Progress


@dataclass(frozen=True, slots=True, repr=False)
class World:
    """A world that can be made: its specification, resolved (docs/laws#world-specification). Never changed; `with_`
    gives another.

    ``document``: the resolved specification; ``plan``: what the generator works from.
    """

    document: Mapping[str, Any]
    plan: WorldPlan

    @classmethod
    def from_file(cls, path: str | Path) -> World:
        """From a YAML file. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` with key, value, reason and remedy."""
        return cls.from_mapping(read_spec(Path(path)))

    @classmethod
    def from_preset(cls, name: str) -> World:
        """One of `seg5b.world.PRESETS`, as demo or reference_classic. Raises `WorldError` ``5B.WORLD.PRESET_UNKNOWN``."""
        return cls.from_mapping(read_spec(preset_path(name)))

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any]) -> World:
        """From a mapping with the keys of the schema. Raises as `from_file`."""
        plan = plan_of(document)
        return cls(plan.document, plan)

    @property
    def notes(self) -> list[str]:
        """What was asked for and cannot show: a sentence each."""
        return idle_requests(self.plan)

    @property
    def name(self) -> str:
        """Name of the world."""
        return self.plan.name

    def with_(self, values: Mapping[str, Any] | None = None, **top: Any) -> World:
        """Another world, with values by dotted key (``{"merchants.count": 50}``) and whole sections by name
        (``bucket_seconds=900``); None takes a key away. Raises as `from_file`."""
        return World.from_mapping(with_values(self.document, {**(values or {}), **top}))

    def scaled(self, factor: float) -> World:
        """Another world with ``factor`` times the volume. Sites follow by their law; merchants, places and calendar
        stay. Raises as `from_file`."""
        key = "volume.weekly_total" if self.plan.law == CALIBRATED else "volume.scale"
        return self.with_({key: self.document["volume"][key.partition(".")[2]] * float(factor)})

    def check(self, *, progress: Progress | None = None) -> Forecast:
        """What it will come to. Makes the population, not the surfaces; raises `WorldError` as `make`."""
        report = progress or unreported
        draft = draft_world(self.plan, self._seeds(None), resource_root(), report=report)
        return forecast(draft.built(report))

    def make(
        self,
        runs_root: str | Path | None = None,
        *,
        seeds: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> str:
        """Make it below ``runs_root`` (default: $SEG5B_RUNS_ROOT or ./runs) for ``seeds`` (default: those of the
        specification); returns the run id. The same specification, policies and tzdata release give the same bytes.

        Raises `WorldError`: ``5B.WORLD.SPEC_INVALID``, ``5B.WORLD.SEED_INVALID``, ``5B.WORLD.POLICY_MISSING``,
        ``5B.WORLD.TARGET_TAKEN``, ``5B.WORLD.WRITE_FAILED``.
        """
        root = Path(runs_root) if runs_root else default_runs_root()
        config_root = resource_root()
        return make_from_plan(
            self.plan, seeds=self._seeds(seeds), runs_root=root, config_root=config_root, progress=progress
        )

    def _seeds(self, seeds: Sequence[int] | None) -> tuple[int, ...]:
        return tuple(self.document["seeds"] if seeds is None else seeds)

    def __repr__(self) -> str:
        plan = self.plan
        return f"World({plan.name!r}, {plan.merchants} merchants, {plan.start_utc:%Y-%m-%d}, {plan.hours} hours)"
