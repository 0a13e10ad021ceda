"""Where the contract files lie in each of the two layouts (docs/laws#contract-layouts)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

CONTRACTS = "contracts"
MODEL_SPEC = "model_spec"
LAYOUTS = (CONTRACTS, MODEL_SPEC)

DICTIONARY_SEGMENTS = ("5B", "5A", "3B", "3A", "2B", "2A", "1B", "1A")
REGISTRY_SEGMENT = "5B"


@dataclass(frozen=True, slots=True)
class Pack:
    """A schema pack: its kind (the ``K`` of ``schemas.K.yaml``) and the segment whose folder holds it."""

    kind: str
    segment: str

    @property
    def file_name(self) -> str:
        """``schemas.<kind>.yaml``, which is also the pack's name in a ``schema_ref``."""
        return f"schemas.{self.kind}.yaml"


PACKS = (
    *(Pack(segment, segment) for segment in DICTIONARY_SEGMENTS),
    Pack("layer2", "5A"),
    Pack("ingress.layer2", "5A"),
    Pack("layer1", "1A"),
    Pack("ingress.layer1", "1A"),
)


def layer_number(segment: str) -> int:
    """Layer of a segment: 1-4 belong to layer 1, 5 to layer 2, 6 to layer 3."""
    return {"5": 2, "6": 3}.get(segment[:1], 1)


def dictionary_path(layout: str, segment: str) -> PurePosixPath:
    """Dataset dictionary of a segment, relative to the contracts root."""
    layer = layer_number(segment)
    if layout == MODEL_SPEC:
        return _model_spec(segment) / f"dataset_dictionary.layer{layer}.{segment}.yaml"
    return PurePosixPath(f"contracts/dataset_dictionary/l{layer}/seg_{segment}/layer{layer}.{segment}.yaml")


def registry_path(layout: str, segment: str) -> PurePosixPath:
    """Artefact registry of a segment, relative to the contracts root."""
    name = f"artefact_registry_{segment}.yaml"
    if layout == MODEL_SPEC:
        return _model_spec(segment) / name
    return PurePosixPath("contracts/artefact_registry") / name


def pack_path(layout: str, pack: Pack) -> PurePosixPath:
    """Schema pack, relative to the contracts root."""
    if layout == MODEL_SPEC:
        return _model_spec(pack.segment) / pack.file_name
    return PurePosixPath(f"contracts/schemas/layer{layer_number(pack.segment)}") / pack.file_name


def _model_spec(segment: str) -> PurePosixPath:
    layer = f"layer-{layer_number(segment)}"
    return PurePosixPath("docs/model_spec/data-engine") / layer / "specs/contracts" / segment
