"""Files of every kind, mutated at random: each reader succeeds or raises one typed error, in bounded time (law L16).

The mutations are few and fixed by a seed, so that this stays a test; what they once found is named in `test_foreign_bytes`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.clocks import covering_cache, read_manifest
from seg5b.contracts import ContractSource, load_yaml
from seg5b.contracts.dictionary import parse_dictionary
from seg5b.contracts.registry import parse_registry
from seg5b.errors import MOST_CHARACTERS, Seg5bError
from seg5b.gate.bundles import Bundle, locate, verify_upstream_bundle
from seg5b.gate.laws import LAWS
from seg5b.gate.scenarios import read_scenarios
from seg5b.inputs.edges import read_catalogue, read_edge_tables, read_universe_hash
from seg5b.inputs.groups import read_groups
from seg5b.inputs.profile import read_profile, read_virtual_modes
from seg5b.inputs.settlement import read_settlement
from seg5b.inputs.sites import read_sites
from seg5b.inputs.surface import scan_components
from seg5b.policy import AliasLayoutPolicy, EdgeTemper
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, open_root
from tests.worlds import copy_run

CODE = "5B.TEST.MUTATED"
SECONDS = 2.0
"""A reader takes milliseconds; what is quadratic or endless takes longer than this."""
NO_TEMPER = EdgeTemper(enabled=False, top_k=10, redirect_p=0.0)
Read = Callable[[Path], object]

WORDS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**64,
    10**30,
    1e300,
    "",
    "x" * 5000,
    "\0",
    "\u2028",
    "../..",
    [],
    {},
    [[]],
    {"": None},
)


@pytest.fixture(scope="module")
def root(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """A copy of the tiny world, to be mutated file by file."""
    return copy_run(tiny_world, tmp_path_factory.mktemp("mutated"))


def test_bytes_of_any_file(root: RunRoot) -> None:
    """Bits flipped, bytes cut, doubled and replaced, in every file that a state reads."""
    chance = random.Random(1)
    for name, read in _readers(root).items():
        file = _file(root, name)
        sound = file.read_bytes()
        read(file)
        for turn in range(25):
            file.write_bytes(_mutated(sound, chance))
            _typed(read, file, f"{name}, turn {turn}")
        file.write_bytes(sound)


@pytest.mark.parametrize(
    "name",
    ["edge_universe_hash_3B", "tz_timetable_cache manifest", "receipt", *(f"bundle {law.segment}" for law in LAWS)],
)
def test_values_of_json(root: RunRoot, name: str) -> None:
    """A value replaced by another type, a key dropped, renamed or nested."""
    chance = random.Random(name)
    file, read = _file(root, name), _readers(root)[name]
    sound = file.read_bytes()
    for turn in range(60):
        document = json.loads(sound)
        place: Any = document
        while True:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not (isinstance(place[key], dict | list) and place[key]) or chance.random() < 0.2:
                break
            place = place[key]
        if chance.random() < 0.3:
            del place[key]
        else:
            place[key] = chance.choice(WORDS)
        file.write_text(json.dumps(document))
        _typed(read, file, f"{name}, turn {turn}")
    file.write_bytes(sound)


PARQUET = (
    "virtual_classification_3B",
    "virtual_settlement_3B",
    "edge_catalogue_3B",
    "edge_alias_index_3B",
    "s4_group_weights",
    "merchant_zone_profile_5A",
    "s1_site_weights",
    "merchant_zone_scenario_local_5A",
    "scenario_manifest_5A",
)


@pytest.mark.parametrize("name", PARQUET)
def test_columns_of_parquet(root: RunRoot, name: str) -> None:
    """Each column as another type, twice, missing, with nulls and with texts that are none."""
    file, read = _file(root, name), _readers(root)[name]
    sound = file.read_bytes()
    table = pq.ParquetFile(file).read().slice(0, 500)
    for at, column in enumerate(table.schema.names):
        for kind, changed in _columns(table, at).items():
            pq.write_table(changed, file)
            _typed(read, file, f"{name}, {column} {kind}")
    file.write_bytes(sound)


def _columns(table: pa.Table, at: int) -> dict[str, pa.Table]:
    name, rows = table.schema.names[at], table.num_rows
    values = {
        "decimal": pa.array([1] * rows, pa.decimal128(20, 3)),
        "nested": pa.array([[1]] * rows),
        "struct": pa.array([{"a": 1}] * rows),
        "null": pa.nulls(rows),
        "text": pa.array(["one"] * rows),
        "bytes": pa.array([b"\xff"] * rows),
        "not UTF-8": pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff\xfe"] * rows, pa.binary()).buffers()),
        "long text": pa.array(["x" * 5000] * rows),
        "negative": pa.array([-1] * rows),
        "date": pa.array([0] * rows, pa.date32()),
        "infinite": pa.array([float("inf")] * rows),
        "huge": pa.array([2**64 - 1] * rows, pa.uint64()),
    }
    changed = {kind: table.set_column(at, name, column) for kind, column in values.items()}
    return {**changed, "twice": table.append_column(name, table.column(at)), "gone": table.remove_column(at)}


@pytest.mark.parametrize("kind", ["dictionary", "registry", "policy"])
def test_yaml(tmp_path: Path, kind: str) -> None:
    """Contracts and policies with bytes and scalars replaced."""
    chance = random.Random(kind)
    places = {
        "dictionary": "contracts/dataset_dictionary/l2/seg_5B/layer2.5B.yaml",
        "registry": "contracts/artefact_registry/artefact_registry_5B.yaml",
        "policy": "config/layer2/5B/arrival_routing_policy_5B.yaml",
    }
    lines = (resource_root() / places[kind]).read_text("utf-8").splitlines()[:150]
    scalars = (
        "null",
        "010",
        "1:00:00",
        "!!int x",
        "!!timestamp x",
        "!!bool y",
        "!!float ''",
        "[]",
        "{a: 1}",
        "&a [*a]",
        ".nan",
        "- -",
    )
    file = tmp_path / "file.yaml"

    def read(path: Path) -> object:
        document = load_yaml(path)
        if kind == "dictionary":
            return parse_dictionary(document, "5B", "here")
        return parse_registry(document, "5B", "here") if kind == "registry" else document

    for turn in range(60):
        changed = list(lines)
        at = chance.randrange(len(changed))
        changed[at] = f"{changed[at].partition(':')[0]}: {chance.choice(scalars)}"
        content = "\n".join(changed).encode()
        file.write_bytes(content if turn % 3 else _mutated(content, chance))
        _typed(read, file, f"{kind}, turn {turn}: {changed[at]}")


def _mutated(sound: bytes, chance: random.Random) -> bytes:
    raw = bytearray(sound)
    at = chance.randrange(len(raw))
    stop = min(at + chance.randrange(1, 64), len(raw))
    kind = chance.randrange(6)
    if kind == 0:
        raw[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del raw[at:]
    elif kind == 2:
        raw[at:at] = raw[at:stop]
    elif kind == 3:
        raw[at:stop] = bytes(stop - at)
    elif kind == 4:
        raw[at:stop] = chance.randbytes(stop - at)
    else:
        raw[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b'"}],'))
    return bytes(raw)


def _typed(read: Read, file: Path, said: str) -> None:
    began = time.monotonic()
    try:
        read(file)
    except Seg5bError as error:
        assert len(error.what) <= MOST_CHARACTERS and error.where and error.remedy, said
    except Exception as error:
        raise AssertionError(f"{said}: {type(error).__name__}: {error}") from error
    assert time.monotonic() - began < SECONDS, said


def _file(root: RunRoot, name: str) -> Path:
    if name == "receipt":
        return root.path / "run_receipt.json"
    if name.startswith("bundle "):
        law = next(law for law in LAWS if law.segment == name[7:])
        return locate(root, ContractSource.packaged(), law).index
    dataset, _, manifest = name.partition(" ")
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    path = root.resolve(entry.render(root.identity.tokens("baseline_v1")))
    suffix = "json" if manifest else "bin" if dataset == "tz_timetable_cache" else "parquet"
    return next(iter(sorted(path.rglob(f"*.{suffix}")))) if path.is_dir() else path


def _readers(root: RunRoot) -> dict[str, Read]:
    """What reads each file, in a world that is otherwise sound."""
    contracts, identity = ContractSource.packaged(), root.identity
    layout = AliasLayoutPolicy.load(resource_root() / "config/layer1/2B/policy/alias_layout_policy_v1.json", contracts)
    catalogue, index, blob, zones = (
        _file(root, name)
        for name in ("edge_catalogue_3B", "edge_alias_index_3B", "edge_alias_blob_3B", "site_timezones")
    )

    def edges(_: Path) -> object:
        return read_edge_tables(read_catalogue([catalogue], code=CODE), index, blob, layout, NO_TEMPER, code=CODE)

    readers: dict[str, Read] = {
        "edge_catalogue_3B": edges,
        "edge_alias_index_3B": edges,
        "edge_alias_blob_3B": edges,
        "edge_universe_hash_3B": lambda file: read_universe_hash(
            file.read_bytes(), contracts, identity, code=CODE, where=str(file)
        ),
        "virtual_classification_3B": lambda file: read_virtual_modes([file], code=CODE),
        "virtual_settlement_3B": lambda file: read_settlement([file], code=CODE),
        "s4_group_weights": lambda file: read_groups([file], code=CODE),
        "merchant_zone_profile_5A": lambda file: read_profile([file], code=CODE),
        "s1_site_weights": lambda file: read_sites([file], [zones], code=CODE),
        "merchant_zone_scenario_local_5A": lambda file: scan_components([file], "baseline_v1", code=CODE),
        "scenario_manifest_5A": lambda file: read_scenarios(file, contracts, identity.manifest_fingerprint),
        "tz_timetable_cache": lambda file: covering_cache([file], 0, code=CODE),
        "tz_timetable_cache manifest": lambda file: read_manifest(file, code=CODE),
        "receipt": lambda file: open_root(file.parent.parent, file.parent.name),
    }
    for law in LAWS:
        bundle = locate(root, contracts, law)
        readers[f"bundle {law.segment}"] = partial(_verify, bundle, contracts)
    return readers


def _verify(bundle: Bundle, contracts: ContractSource, _: Path) -> object:
    return verify_upstream_bundle(bundle, contracts, "digest")
