"""World specifications: from a YAML file to the plan that the generator works from. Law: docs/laws#world-specification."""

from seg5b.world.spec.planning import plan_of
from seg5b.world.spec.source import PRESET_NAMES, preset_path, read_spec, resolved, with_values

__all__ = ["PRESET_NAMES", "plan_of", "preset_path", "read_spec", "resolved", "with_values"]
