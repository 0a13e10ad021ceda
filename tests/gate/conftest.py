"""A run root made by hand: the smallest upstream world that the gate accepts, with a handle on every file of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import Seg5bError
from seg5b.gate import run_gate
from seg5b.gate.catalogue import ARTEFACTS
from seg5b.gate.laws import LAWS
from seg5b.resources import resource_root
from seg5b.runs import RunRoot, open_root

RUN_ID = "a" * 32
SEED = 42
FINGERPRINT = "1" * 64
PARAMETERS = "2" * 64
SCENARIOS = ("baseline_v1", "stress_v1")
MICROS = "2026-01-01T00:00:00.000000Z"


def canon(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class World:
    """One run folder under test. Tests reach constants and small helpers through it."""

    root: RunRoot
    contracts: ContractSource

    RUN_ID: ClassVar[str] = RUN_ID
    SEED: ClassVar[int] = SEED
    FINGERPRINT: ClassVar[str] = FINGERPRINT
    PARAMETERS: ClassVar[str] = PARAMETERS
    SCENARIOS: ClassVar[tuple[str, ...]] = SCENARIOS

    @staticmethod
    def canon(value: object) -> bytes:
        return canon(value)

    @staticmethod
    def sha(content: bytes) -> str:
        return sha(content)

    @staticmethod
    def write(path: Path, content: bytes) -> Path:
        return write(path, content)

    def write_manifest(self, table: pa.Table | None = None, **changes: Any) -> None:
        """Replace the scenario manifest: a keyword replaces a column, None drops it."""
        pq.write_table(manifest_table(**changes) if table is None else table, self.place("scenario_manifest_5A"))

    def with_contracts(self, folder: Path, file: str, old: str, new: str) -> World:
        """The same run under contracts of which one file was edited."""
        shutil.copytree(self.contracts.root / "contracts", folder / "contracts")
        path = folder / "contracts" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return World(self.root, ContractSource.open(folder, "contracts"))

    def refused(self, error: type[Seg5bError], code: str, **options: Any) -> Seg5bError:
        """Run S0; it must fail with this typed error, say where and what to do, and publish nothing."""
        before = self.gate_files()
        with pytest.raises(Seg5bError) as caught:
            run_gate(self.root, self.contracts, **options)
        assert type(caught.value) is error
        assert caught.value.code == code
        assert caught.value.what and caught.value.remedy
        assert self.gate_files() == before
        assert list((self.root.path / "tmp").glob("*")) == []
        return caught.value

    def place(self, artifact_id: str, scenario_id: str | None = None) -> Path:
        """Path of an artefact; policies below the run's reference folder."""
        rendered = self.contracts.dictionary("5B").entry(artifact_id).render(self.root.identity.tokens(scenario_id))
        return self.root.path / ("reference" if rendered.startswith("config/") else "") / rendered

    def bundle(self, segment: str) -> Path:
        """Folder of an upstream bundle."""
        place = self.place(f"validation_bundle_{segment}")
        return place.parent if place.suffix else place

    def index(self, segment: str) -> Path:
        """Index file of an upstream bundle."""
        return self.bundle(segment) / next(law.index_name for law in LAWS if law.segment == segment)

    def flag(self, segment: str) -> Path:
        return self.bundle(segment) / "_passed.flag"

    def gate_files(self) -> dict[str, bytes]:
        """Everything below 5B's output folder, by relative path."""
        folder = self.root.path / "data/layer2/5B"
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    def receipt(self) -> Path:
        return self.place("s0_gate_receipt_5B")

    def sealed(self) -> Path:
        return self.place("sealed_inputs_5B")

    def content(self) -> Path:
        return self.place("sealed_content_5B")

    def edit_index(self, segment: str, change: Callable[[Any], Any], *, reflag: bool = True) -> None:
        """Change an index and, unless told not to, make digest and flag agree with it again: a consistent lie."""
        path = self.index(segment)
        index = json.loads(path.read_bytes())
        changed = change(index)
        write(path, canon(index if changed is None else changed))
        if reflag:
            self.reflag(segment)

    def reflag(self, segment: str) -> None:
        """Write the flag that the bundle's present content deserves."""
        index = json.loads(self.index(segment).read_bytes())
        if segment == "3A":
            members = sorted(index["members"], key=lambda member: member["logical_id"])
            digest = sha("".join(member["sha256_hex"] for member in members).encode())
        else:
            items = index if isinstance(index, list) else index.get("files", index.get("members", index.get("entries")))
            base = self.root.path if segment == "2B" else self.bundle(segment)
            digest = sha(b"".join((base / path).read_bytes() for path in sorted(item["path"] for item in items)))
        if segment == "5A":
            write(self.flag("5A"), canon({"bundle_digest_sha256": digest, "manifest_fingerprint": FINGERPRINT}))
        else:
            write(self.flag(segment), f"sha256_hex = {digest}\n".encode())


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def manifest_table(**changes: Any) -> pa.Table:
    """Two scenarios; a keyword replaces a column, None drops it."""
    columns: dict[str, Any] = {
        "manifest_fingerprint": pa.array([FINGERPRINT] * 2),
        "scenario_id": pa.array(list(SCENARIOS)),
        "scenario_version": pa.array(["v1.0.0"] * 2),
        "horizon_start_utc": pa.array(["2026-01-01T00:00:00.000000Z"] * 2),
        "horizon_end_utc": pa.array(["2026-01-29T00:00:00.000000Z"] * 2),
        "is_baseline": pa.array([True, False]),
        "is_stress": pa.array([False, True]),
        "labels": pa.array([["baseline", "steady_state"], ["stress"]]),
        "scenario_config_ids": pa.array([["scenario_metadata"], ["scenario_metadata"]]),
    }
    columns.update(changes)
    return pa.table({name: column for name, column in columns.items() if column is not None})


def _write_datasets(world: World) -> None:
    for artefact in ARTEFACTS:
        entry = world.contracts.dictionary("5B").entry(artefact.artifact_id)
        if artefact.role != "dataset":
            continue
        for scenario_id in SCENARIOS if "scenario_id" in entry.tokens else (None,):
            place = world.place(artefact.artifact_id, scenario_id)
            body = f"{artefact.artifact_id} {scenario_id}".encode()
            write(place / "part-00000.parquet" if entry.path.endswith("/") else place, body)
    cache = world.place("tz_timetable_cache")
    (cache / "part-00000.parquet").unlink()
    write(cache / "tz_cache_v1.bin", b"TZC1")
    write(cache / "tz_timetable_cache.json", b"{}")
    pq.write_table(manifest_table(), world.place("scenario_manifest_5A"))


def _write_policies(world: World) -> None:
    for artefact in ARTEFACTS:
        if artefact.role == "policy":
            source = resource_root() / world.contracts.dictionary("5B").entry(artefact.artifact_id).path
            write(world.place(artefact.artifact_id), source.read_bytes())


def _write_layer1_text_bundle(world: World, segment: str) -> None:
    names = ("MANIFEST", "rng_accounting", "s9_summary")
    items = [
        {"artifact_id": name, "kind": "summary", "path": f"{name}.json", "mime": "application/json", "notes": None}
        for name in names
    ]
    for name in names:
        write(world.bundle(segment) / f"{name}.json", canon({"segment": segment, "name": name}))
    index = {"artifact_id": "index", "kind": "table", "path": "index.json", "mime": "application/json", "notes": None}
    write(world.index(segment), canon([*items, index]))


def _write_2a(world: World) -> None:
    bodies = {"checks.json": b"{}", f"evidence/s4/seed={SEED}/s4_legality_report.json": b'{"ok":true}'}
    for path, body in bodies.items():
        write(world.bundle("2A") / path, body)
    write(world.index("2A"), canon({"files": [{"path": p, "sha256_hex": sha(b)} for p, b in bodies.items()]}))


def _write_2b(world: World) -> None:
    part = f"manifest_fingerprint={FINGERPRINT}"
    bodies = {
        f"data/layer1/2B/s0_gate_receipt/{part}/s0_gate_receipt_2B.json": b'{"gate":"2B"}',
        f"data/layer1/2B/sealed_inputs/{part}/sealed_inputs_2B.json": b"[]",
    }
    for path, body in bodies.items():
        write(world.root.path / path, body)
    write(world.index("2B"), canon([{"path": p, "sha256_hex": sha(b)} for p, b in bodies.items()]))


def _member(logical_id: str, path: str, digest: str, **more: Any) -> dict[str, Any]:
    return {
        "logical_id": logical_id,
        "path": path,
        "schema_ref": "schemas.3A.yaml#/x",
        "role": "evidence",
        "sha256_hex": digest,
        **more,
    }


def _write_3a(world: World) -> None:
    """Four kinds of member: pretty JSON, a file of lines, a folder of parts, and one that was pruned."""
    part = f"manifest_fingerprint={FINGERPRINT}"
    json_path = f"data/layer1/3A/s6_receipt/{part}/s6_receipt_3A.json"
    lines_path = f"logs/layer1/3A/rng/audit/seed={SEED}/rng_audit_log.jsonl"
    folder = f"data/layer1/3A/s3_zone_shares/seed={SEED}/{part}/"
    write(world.root.path / json_path, b'{\n  "b": 1,\n  "a": "\\u00e9"\n}\n')
    write(world.root.path / lines_path, b'{"x":1}\n')
    write(world.root.path / folder / "part-00001.parquet", b"two")
    write(world.root.path / folder / "part-00000.parquet", b"one")
    members = [
        _member("s6_receipt_3A", json_path, sha(b'{"a":"\\u00e9","b":1}')),
        _member("rng_audit_log", lines_path, sha(b'{"x":1}\n')),
        _member("s3_zone_shares", folder, sha(b"onetwo")),
        _member("s4_zone_counts", f"data/layer1/3A/s4_zone_counts/{part}/", "e" * 64),
    ]
    identity = {"manifest_fingerprint": FINGERPRINT, "parameter_hash": PARAMETERS, "s6_receipt_digest": "f" * 64}
    write(world.index("3A"), canon({**identity, "members": members}))


def _write_3b(world: World) -> None:
    bodies = {"s0_gate_receipt_3B.json": b'{"gate":"3B"}', "s5_manifest_3B.json": b"{}"}
    for path, body in bodies.items():
        write(world.bundle("3B") / path, body)
    members = [_member(p.split(".")[0], p, sha(b), size_bytes=len(b)) for p, b in bodies.items()]
    identity = {"manifest_fingerprint": FINGERPRINT, "parameter_hash": PARAMETERS, "s5_manifest_digest": "f" * 64}
    write(world.index("3B"), canon({**identity, "members": members}))


def _write_5a(world: World) -> None:
    bodies = {"reports/validation_report_5A.json": b"{}", "issues/validation_issue_table_5A.parquet": b"PAR1"}
    for path, body in bodies.items():
        write(world.bundle("5A") / path, body)
    index = {
        "manifest_fingerprint": FINGERPRINT,
        "segment_id": "5A",
        "s5_spec_version": "1.0.0",
        "generated_utc": MICROS,
        "overall_status": "PASS",
        "entries": [{"path": p, "sha256_hex": sha(b)} for p, b in bodies.items()],
    }
    write(world.index("5A"), canon(index))


def make_world(runs: Path, contracts: ContractSource) -> World:
    """Write a whole run folder below ``runs``."""
    receipt = {
        "run_id": RUN_ID,
        "seed": SEED,
        "parameter_hash": PARAMETERS,
        "manifest_fingerprint": FINGERPRINT,
        "created_utc": MICROS,
    }
    write(runs / RUN_ID / "run_receipt.json", canon(receipt))
    world = World(open_root(runs, RUN_ID), contracts)
    _write_datasets(world)
    _write_policies(world)
    for segment in ("1A", "1B"):
        _write_layer1_text_bundle(world, segment)
    for build in (_write_2a, _write_2b, _write_3a, _write_3b, _write_5a):
        build(world)
    for law in LAWS:
        world.reflag(law.segment)
    return world


@pytest.fixture(scope="session")
def contracts() -> ContractSource:
    return ContractSource.packaged()


class Snapshot:
    """A folder as it was, and the way back to it: cheaper than a copy for each of some hundred tests."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.folders, files = self._walk()
        self.bodies = {path: path.read_bytes() for path in files}
        self.keys = {path: self._key(path) for path in files}

    def restore(self) -> None:
        folders, files = self._walk()
        for path in files:
            if self.keys.get(path) != self._key(path):
                path.unlink()
        for path in sorted(folders - self.folders, reverse=True):
            path.rmdir()
        for path in sorted(self.folders):
            path.mkdir(exist_ok=True)
        for path, body in self.bodies.items():
            if not path.exists():
                path.write_bytes(body)
                self.keys[path] = self._key(path)

    def _walk(self) -> tuple[set[Path], set[Path]]:
        folders, files = {self.top}, set[Path]()
        for parent, below, names in os.walk(self.top):
            for path in (Path(parent, name) for name in (*below, *names)):
                (folders if path.is_dir() and not path.is_symlink() else files).add(path)
        return folders, files

    @staticmethod
    def _key(path: Path) -> tuple[int, ...]:
        status = path.lstat()
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, contracts: ContractSource) -> Snapshot:
    """The runs root with one complete run folder, made once."""
    runs = tmp_path_factory.mktemp("runs")
    make_world(runs, contracts)
    return Snapshot(runs)


@pytest.fixture
def world(pristine: Snapshot, contracts: ContractSource) -> Iterator[World]:
    """The run folder in its pristine state; whatever a test does to it is undone."""
    yield World(open_root(pristine.top, RUN_ID), contracts)
    pristine.restore()


@pytest.fixture(scope="session")
def pristine_sealed(tmp_path_factory: pytest.TempPathFactory, contracts: ContractSource) -> Snapshot:
    """The same behind a gate that S0 has published."""
    runs = tmp_path_factory.mktemp("sealed")
    run_gate(make_world(runs, contracts).root, contracts)
    return Snapshot(runs)


@pytest.fixture
def sealed(pristine_sealed: Snapshot, contracts: ContractSource) -> Iterator[World]:
    """The run folder with its gate; whatever a test does to it is undone."""
    yield World(open_root(pristine_sealed.top, RUN_ID), contracts)
    pristine_sealed.restore()
