"""Object storage, against a server of it on this machine, and tables of lakes by their libraries."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from seg5b.api import Run
from seg5b.errors import InputError, PublishError
from seg5b.export import Exported
from tests.export.conftest import plain
from tests.iceberg import catalog_at

Export = Callable[..., Exported]
PATIENCE_S = 60


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


@pytest.fixture(scope="module")
def store() -> Iterator[fs.S3FileSystem]:
    """An S3 server of its own process, with a bucket; what is set tells pyarrow and deltalake where it is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    here = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with pytest.MonkeyPatch.context() as patch, subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        for name, value in here.items():
            patch.setenv(name, value)
        try:
            _wait_for(port, server)
            files, _ = fs.FileSystem.from_uri("s3://cards?allow_bucket_creation=true")
            files.create_dir("cards")
            yield files
        finally:
            server.kill()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        assert server.poll() is None and time.monotonic() < end, "the server does not come up"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def keys(store: fs.S3FileSystem, prefix: str) -> list[str]:
    found = store.get_file_info(fs.FileSelector(f"cards/{prefix}", recursive=True, allow_not_found=True))
    return sorted(each.path for each in found if each.type == fs.FileType.File)


@needs("moto")
def test_an_object(run: Run, published: pa.Table, store: fs.S3FileSystem) -> None:
    run.export("s3://cards/a/arrivals.parquet")
    assert plain(pq.read_table("cards/a/arrivals.parquet", filesystem=store)).equals(published)
    with pytest.raises(PublishError, match="TARGET_EXISTS"):
        run.export("s3://cards/a/arrivals.parquet")
    run.export("s3://cards/a/arrivals.parquet", limit=3, overwrite=True)
    assert pq.read_table("cards/a/arrivals.parquet", filesystem=store).num_rows == 3


@needs("moto")
def test_an_object_of_several_uploads(run: Run, published: pa.Table, store: fs.S3FileSystem) -> None:
    run.export("s3://cards/b/arrivals.jsonl")
    with store.open_input_stream("cards/b/arrivals.jsonl") as stream:
        lines = stream.readall().splitlines()
    assert sum(map(len, lines)) > 12_000_000, "more than one part of an upload"
    assert [json.loads(line)["arrival_seq"] for line in lines] == published["arrival_seq"].to_pylist()


@needs("moto")
def test_a_folder_of_objects(run: Run, published: pa.Table, store: fs.S3FileSystem) -> None:
    wanted: dict[str, Any] = {"format": "parquet", "partition_by": ["channel_group"], "columns": ["ts_utc"]}
    run.export("s3://cards/c", **wanted)
    assert len(keys(store, "c")) == 2 and keys(store, "c")[0].startswith("cards/c/channel_group=card_not_present/part-")
    assert pq.read_table("cards/c", filesystem=store).num_rows == published.num_rows
    with pytest.raises(PublishError, match="TARGET_EXISTS"):
        run.export("s3://cards/c", **wanted, overwrite=True)


FAILING = """
import sys
from seg5b.api import open_run
from seg5b.tables import outgoing
genuine, left = outgoing.TextSink.write, [int(sys.argv[3])]
def write(sink, batch):
    genuine(sink, batch)
    left[0] -= 1
    if not left[0]:
        raise KeyboardInterrupt
outgoing.TextSink.write = write
open_run(sys.argv[1]).export(sys.argv[2], format="jsonl", partition_by=sys.argv[4:], overwrite=not sys.argv[4:])
"""


@needs("moto")
@pytest.mark.parametrize(("by", "batches"), [([], 1), (["channel_group"], 2)])
def test_a_failure_leaves_no_object(
    run: Run, store: fs.S3FileSystem, tmp_path: Path, by: list[str], batches: int
) -> None:
    """In a process of its own: an upload that is thrown away is completed at its end, if not before."""
    if not by:
        with store.open_output_stream("cards/d") as stream:
            stream.write(b"what was there")
    words = [sys.executable, "-c", FAILING, str(run.root.path.parent), "s3://cards/d", str(batches), *by]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, cwd=Path(__file__).parents[2])
    assert "KeyboardInterrupt" in done.stderr
    assert keys(store, "d") == []
    if not by:
        with store.open_input_stream("cards/d") as stream:
            assert stream.readall() == b"what was there"
        store.delete_file("cards/d")


@needs("moto")
def test_no_such_bucket(run: Run, store: fs.S3FileSystem) -> None:
    with pytest.raises(PublishError, match="STORE_FAILED"):
        run.export("s3://nobody/x.csv", limit=1)


# ------------------------------------------------------------------------------------------------- lakes


@needs("deltalake")
@pytest.mark.parametrize(("ids", "kind"), [(None, pa.string()), ("int64", pa.int64())])
def test_delta(run: Run, published: pa.Table, tmp_path: Path, ids: str | None, kind: pa.DataType) -> None:
    from deltalake import DeltaTable

    out = str(tmp_path / "table")
    run.export(out, format="delta", ids=ids, partition_by=["day"])
    found = DeltaTable(out).to_pyarrow_table().sort_by([("merchant_id", "ascending"), ("arrival_seq", "ascending")])
    assert found.schema.field("merchant_id").type == found.schema.field("site_id").type == kind
    bits = 1 << 64
    numbers = [(int(merchant) % bits, number) for merchant, number in _keys_of(found)]
    assert sorted(numbers) == sorted(_keys_of(published))
    assert len(set(found["day"].to_pylist())) == len({moment.date() for moment in published["ts_utc"].to_pylist()})
    with pytest.raises(PublishError, match="TARGET_EXISTS"):
        run.export(out, format="delta")
    run.export(out, format="delta", ids=ids, limit=5, overwrite=True, partition_by=["day"])
    assert DeltaTable(out).version() == 1 and DeltaTable(out).to_pyarrow_table().num_rows == 5


def _keys_of(table: pa.Table) -> list[tuple[Any, int]]:
    return list(zip(table["merchant_id"].to_pylist(), table["arrival_seq"].to_pylist(), strict=True))


@needs("deltalake")
def test_delta_replaces_nothing_else(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for out, code in ((folder, "TARGET_EXISTS"), (run.root.path / "table", "TARGET_IN_RUN")):
        with pytest.raises(PublishError, match=code):
            run.export(out, format="delta", overwrite=True)


@needs("deltalake")
@needs("moto")
def test_delta_in_object_storage(run: Run, store: fs.S3FileSystem) -> None:
    from deltalake import DeltaTable

    run.export("s3://cards/delta", format="delta", limit=100)
    assert DeltaTable("s3://cards/delta").to_pyarrow_table().num_rows == 100
    with pytest.raises(PublishError, match="TARGET_EXISTS"):
        run.export("s3://cards/delta", format="delta")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a catalog that pyiceberg is configured with."""
    pytest.importorskip("pyiceberg")
    with catalog_at("local", tmp_path_factory.mktemp("lake")):
        yield "local"


@needs("pyiceberg")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ids", ["string", "int64"])
def test_iceberg(run: Run, published: pa.Table, catalog: str, ids: str) -> None:
    from pyiceberg.catalog import load_catalog

    table = f"iceberg://{catalog}/cards/{ids}"
    run.export(table, ids=ids)
    found = load_catalog(catalog).load_table(f"cards.{ids}").scan().to_arrow()
    assert sorted((int(m) % (1 << 64), n) for m, n in _keys_of(found)) == sorted(_keys_of(published))
    with pytest.raises(PublishError, match="TARGET_EXISTS"):
        run.export(table, ids=ids)
    run.export(table, ids=ids, limit=5, overwrite=True)
    assert load_catalog(catalog).load_table(f"cards.{ids}").scan().to_arrow().num_rows == 5


@needs("pyiceberg")
@pytest.mark.parametrize("out", ["iceberg://local/cards", "iceberg://local/cards/a/b", "iceberg:///n/t"])
def test_an_iceberg_table_has_three_names(run: Run, out: str) -> None:
    with pytest.raises(InputError, match="TARGET_UNKNOWN"):
        run.export(out)


@pytest.mark.parametrize(
    ("out", "form", "library"), [("t", "delta", "deltalake"), ("iceberg://c/n/t", None, "pyiceberg")]
)
def test_a_library_that_is_missing_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, form: str | None, library: str
) -> None:
    for name in [*sys.modules, library]:
        if name.split(".")[0] == library:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="LIBRARY_MISSING") as failure:
        run.export(out, format=form)
    assert "pip install" in failure.value.remedy and not list(tmp_path.iterdir())
