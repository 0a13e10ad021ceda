"""What foreign files once did to readers: each input by name, with the error that it must end in (law L16)."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b import api, foreign_json
from seg5b.clocks import covering_cache, read_tz_cache
from seg5b.contracts import ContractSource, load_yaml
from seg5b.contracts.schemas import pack_registry, validator_for
from seg5b.errors import MOST_CHARACTERS, ContractError, InputError, RunError, Seg5bError
from seg5b.foreign_json import COUNT, TEXT, Each, ForeignJsonError, Maybe, checked, parse_json, read_json
from seg5b.gate.laws import LAWS, read_members
from seg5b.inputs.edges import read_catalogue, read_universe_hash
from seg5b.inputs.groups import epoch_day
from seg5b.inputs.profile import read_virtual_modes
from seg5b.inputs.surface import component_volumes
from seg5b.realism.files import CERTIFICATION_FORM, read_report
from seg5b.runs.root import open_root
from seg5b.tables import reading, whole
from seg5b.tables.reading import Kind, read_columns, text_codes
from seg5b.twin.alias import blob_slice
from seg5b.validation.bundle.verify import verify_validation_bundle
from tests.torture.bombs import CACHES, JSON, MANY, MODES, YAML, cache
from tests.worlds import copy_run

CODE = "5B.TEST.FOREIGN"


@pytest.fixture(autouse=True)
def bounded() -> object:
    """No input here takes a second to refuse; what is quadratic takes minutes."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 10.0


@pytest.mark.parametrize("name", JSON)
def test_json_is_refused(name: str) -> None:
    text, said = JSON[name]
    with pytest.raises(ForeignJsonError, match=said):
        parse_json(text.encode())


def test_json_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_json, "MOST_BYTES", 10)
    (tmp_path / "a.json").write_text('{"a":   1}')
    (tmp_path / "b.json").write_text('{"a":    1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}
    with pytest.raises(ForeignJsonError, match="more than 10 bytes"):
        read_json(tmp_path / "b.json")


def test_json_is_not_read_from_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ForeignJsonError, match="not a regular file"):
        read_json(tmp_path / "a.json")


FORMS = [
    ([], {"a": TEXT}, r"\$ is \[\], not an object"),
    ({}, {"a": TEXT}, r"\$ has no a"),
    ({"a": {"b": [1, -1]}}, {"a": {"b": [COUNT]}}, r"\$\.a\.b\[1\] is -1, not a whole number"),
    ({"a": {"x": True}}, {"a": Each(COUNT)}, r"\$\.a\.'x' is True, not a whole number"),
    ({"a": None}, {"a": Maybe(TEXT)}, r"\$\.a is None, not a text"),
]


@pytest.mark.parametrize(("value", "form", "said"), FORMS)
def test_form_names_path_and_value(value: object, form: foreign_json.Form, said: str) -> None:
    with pytest.raises(ForeignJsonError, match=said):
        checked(value, form)


@pytest.mark.parametrize("name", YAML)
def test_yaml_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(YAML[name])
    with pytest.raises(ContractError, match="not usable YAML"):
        load_yaml(file)


def test_yaml_keeps_what_is_plain(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: '010'\nb: 10\nc: 0\nd: '1:00:00'\ne: 0.5\nf: -7\n")
    assert load_yaml(file) == {"a": "010", "b": 10, "c": 0, "d": "1:00:00", "e": 0.5, "f": -7}


def test_unique_items_take_linear_time() -> None:
    registry = pack_registry({"schemas.x.yaml": {"a": {"type": "array", "uniqueItems": True}}})
    validator = validator_for("schemas.x.yaml#/a", registry)
    items = [{"a": number} for number in range(20_000)]
    assert validator.is_valid(items) and not validator.is_valid([*items, {"a": 5}])
    assert validator.is_valid([1, "1", True]) and validator.is_valid([[1], [2]])


def test_bundle_index_with_a_member_twice() -> None:
    items = [{"path": f"f{number}", "sha256_hex": "0" * 64} for number in range(MANY)]
    law = next(law for law in LAWS if law.segment == "2A")
    with pytest.raises(ValueError, match="lists path 'f9' more than once"):
        read_members([*items, items[9]], law)


def _parquet(tmp_path: Path, table: pa.Table) -> Path:
    pq.write_table(table, tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("name", MODES)
def test_parquet_is_refused(tmp_path: Path, name: str) -> None:
    table, said = MODES[name]
    with pytest.raises(InputError, match=said) as caught:
        read_virtual_modes([_parquet(tmp_path, table)], code=CODE)
    assert caught.value.code == CODE and len(caught.value.what) <= MOST_CHARACTERS


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _parquet(tmp_path, MODES["bomb"][0])
    monkeypatch.setattr(pq, "ParquetFile", None)
    with pytest.raises(InputError, match="declares 5"):
        read_virtual_modes([file], code=CODE)


def test_parquet_has_a_largest_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _parquet(tmp_path, pa.table({"a": np.arange(101)}))
    monkeypatch.setattr(reading, "MOST_ROWS", 100)
    monkeypatch.setattr(whole, "MOST_SMALL_ROWS", 100)
    with pytest.raises(InputError, match="101 rows are more than the 100"):
        read_columns([file], {"a": Kind.INTEGER}, code=CODE)
    with pytest.raises(whole.NotParquetError, match="no small table"):
        whole.stored_rows(file)


def test_codes_beyond_their_texts() -> None:
    """What pyarrow gives for a damaged page of codes."""
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), ["a"], safe=False)
    with pytest.raises(ValueError, match=r"codes 0\.\.7 of 1 texts"):
        text_codes(codes)


@pytest.mark.parametrize("name", CACHES)
def test_tz_cache_is_refused(tmp_path: Path, name: str) -> None:
    raw, said = CACHES[name]
    (tmp_path / "c.bin").write_bytes(raw)
    with pytest.raises(InputError, match=said) as caught:
        read_tz_cache(tmp_path / "c.bin", code=CODE)
    assert len(caught.value.what) <= MOST_CHARACTERS


ENDS = ("[]", "{", '{"coverage_end_utc": 5}', *(f'{{"coverage_end_utc": "{end}"}}' for end in (
    "now", "NaT", "2030-13-01", "2030-01-01T00:00:00+05:00", "", "٢٠٣٠-01-01", "2030-01-01T25:00:00Z")))  # fmt: skip


@pytest.mark.parametrize("manifest", ENDS)
def test_manifest_is_refused(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "c.bin").write_bytes(cache(1))
    (tmp_path / "c.json").write_text(manifest)
    with pytest.raises(InputError, match="time-zone cache"):
        covering_cache([tmp_path / "c.bin", tmp_path / "c.json"], 0, code=CODE)


@pytest.mark.parametrize("end", ["2030-01-01T00:00:00Z", "2030-01-01", "2030-01-01T00:00:00.123456Z"])
def test_manifest_states_the_reach(tmp_path: Path, end: str) -> None:
    (tmp_path / "c.bin").write_bytes(cache(1))
    (tmp_path / "c.json").write_text(json.dumps({"coverage_end_utc": end}))
    files = [tmp_path / "c.bin", tmp_path / "c.json"]
    second = 1_893_456_000
    assert covering_cache(files, second * 1_000_000, code=CODE).tzids == ("Z/0",)
    with pytest.raises(InputError, match="reaches to 2030-01-01T00:00:00Z"):
        covering_cache(files, (second + 1) * 1_000_000, code=CODE)


@pytest.mark.parametrize("day", ["2026-W01-1", "20260101  ", "2026-1-001", "٢٠٢٦-01-01", "x" * 5000])
def test_day_is_refused(day: str) -> None:
    with pytest.raises(InputError, match="no date"):
        epoch_day(day, where="here", code=CODE)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"universe_hash": 5}', b"\xff"])
def test_universe_hash_is_refused(tiny_world: Path, content: bytes) -> None:
    identity = open_root(tiny_world).identity
    with pytest.raises(InputError, match=CODE):
        read_universe_hash(content, ContractSource.packaged(), identity, code=CODE, where="here")


def test_weights_without_a_finite_sum(tmp_path: Path) -> None:
    edges = {"merchant_id": pa.array([1, 1], pa.uint64()), "edge_id": ["1", "2"], "tzid_operational": ["UTC"] * 2}
    file = _parquet(tmp_path, pa.table({**edges, "edge_weight": [1.7e308] * 2}))
    with pytest.raises(InputError, match="no finite sum"):
        read_catalogue([file], code=CODE)
    keys = {"merchant_id": pa.array([1, 1], pa.uint64()), "legal_country_iso": ["FR"] * 2, "tzid": ["UTC"] * 2}
    file = _parquet(tmp_path, pa.table({**keys, "lambda_local_scenario": [1.7e308] * 2}))
    with pytest.raises(InputError, match="no finite sum"):
        component_volumes([file], [(1, "FR", "UTC")], code=CODE)


SLICES = [b"", b"\1" * 15, struct.pack("<4I", 0, 32, 0, 0), struct.pack("<6I", 2, 32, 0, 0, 1, 0), struct.pack("<6I", 1, 2**31, 0, 0, 1, 0),
          struct.pack("<6I", 1, 32, 0, 0, 1, 5)]  # fmt: skip


@pytest.mark.parametrize("raw", SLICES)
def test_explained_slice_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"no slice|of 1 entries"):
        blob_slice(raw, "little")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":1,"a":2}', b"\xff", b"[]", b'{"seed": 1e99}'])
def test_receipt_is_refused(tiny_world: Path, tmp_path: Path, content: bytes) -> None:
    root = copy_run(tiny_world, tmp_path)
    (root.path / "run_receipt.json").write_bytes(content)
    for run_id in (root.identity.run_id, None):
        with pytest.raises(RunError, match=r"RECEIPT_UNREADABLE|RUN_IDENTITY_INVALID"):
            open_root(root.path.parent, run_id)


@pytest.mark.parametrize(
    "content", ["", "[]", "null", '{"entries": [5, {"path": "a\\u0000b"}, {"path": 7}]}', '{"checks": [1]}']
)
def test_damaged_bundle_is_told(tiny_run: Path, tmp_path: Path, content: str) -> None:
    root = copy_run(tiny_run, tmp_path)
    run = api.open_run(root.path.parent)
    folder = run.path("validation_bundle_5B")
    for name in ("index.json", "_passed.flag", "validation_report_5B.json", "evidence/s5/published_files.json"):
        sound = (folder / name).read_bytes()
        (folder / name).write_text(content)
        assert verify_validation_bundle(run.root, run.contracts, remember=True).problems, name
        if name.startswith("validation_report"):
            with pytest.raises(Seg5bError, match=r"5B\.RUN\.REPORT_UNREADABLE"):
                run.checks()
        (folder / name).write_bytes(sound)


@pytest.mark.parametrize(
    "content", ['{"decision": "HOLD", "runs": 5}', '{"decision": 5}', '{"available_seeds": [null]}', "[]", "[" * 9999]
)
def test_certification_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "certification.json").write_text(content)
    with pytest.raises(RunError, match="not a readable report"):
        read_report(tmp_path / "certification.json", CERTIFICATION_FORM)
