"""What an insider can do who knows where digests are kept: change files of a finished run, and mend every digest of them.

Nothing of the product is used, and no number is made again: only `json` and `hashlib`, and `pyarrow` in `rewriting`. Files are replaced, never
written into, so that a run may be a copy by hard links.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUNDLE = "data/layer2/5B/validation/*/index.json"
SEALED = "data/layer2/5B/sealed_inputs/*/sealed_inputs_5B.json"
CONTENT = "data/layer2/5B/sealed_content/*/sealed_content_5B.json"
RECEIPT = "data/layer2/5B/s0_gate_receipt/*/s0_gate_receipt_5B.json"
LEDGER = "reports/layer2/segment_state_runs/segment=5B/*/segment_state_runs.jsonl"
MENDED = (LEDGER, "data/layer2/5B/validation/*/**/*", SEALED, CONTENT, RECEIPT, "data/layer*/*/validation/*/*")
"""Where digests are kept: files that may change beside those that a tampering is about."""
_COPIES = {
    "evidence/rng/rng_audit_log.jsonl": "logs/layer2/5B/rng/audit/*/*/*/rng_audit_log.jsonl",
    "evidence/rng/trace/": "logs/layer2/5B/rng/trace/*/*/*/",
    "evidence/s0/s0_gate_receipt_5B.json": RECEIPT,
    "evidence/s0/sealed_content_5B.json": CONTENT,
    "evidence/s0/sealed_inputs_5B.json": SEALED,
}
_ROW_KEYS = (
    "manifest_fingerprint",
    "parameter_hash",
    "owner_layer",
    "owner_segment",
    "artifact_id",
    "manifest_key",
    "role",
    "schema_ref",
    "path_template",
    "partition_keys",
    "sha256_hex",
    "status",
    "read_scope",
    "notes",
    "owner_team",
    "source_manifest",
)


def one(run: Path, pattern: str) -> Path:
    """The one file or folder that a pattern finds."""
    (found,) = run.glob(pattern)
    return found


def put_bytes(file: Path, content: bytes) -> None:
    """Replace a file."""
    file.unlink(missing_ok=True)
    file.write_bytes(content)


def canonical(value: object) -> bytes:
    """JSON as bundles and gate hold it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def edit_lines(file: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Change the records of a file of JSON lines, which keeps its spacing."""
    text = file.read_text("utf-8")
    form = None if '": ' in text.partition(",")[0] else (",", ":")
    records = change([json.loads(line) for line in text.splitlines()])
    put_bytes(
        file, "".join(json.dumps(each, sort_keys=True, separators=form) + "\n" for each in records).encode("ascii")
    )


def sha256(content: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def _of_files(files: list[Path]) -> str:
    return sha256(b"".join(file.read_bytes() for file in files))


@contextmanager
def mending(run: Path) -> Iterator[None]:
    """Whatever is done to the files of a finished run inside: afterwards every digest of them is mended."""
    sealed = _Sealed(run)
    yield
    sealed.mend()
    mend_outputs(run)


class _Sealed:
    """What the gate of a run states of inputs and policies, and how to state it anew."""

    def __init__(self, run: Path) -> None:
        self._run = run
        receipt, content = self._documents()
        rows, by_artefact = json.loads(one(run, SEALED).read_bytes()), self._files(content)
        bundles = {segment: each["bundle_digest"] for segment, each in receipt["upstream_segments"].items()}
        self._of_bundle = {row["artifact_id"] for row in rows if row["sha256_hex"] == bundles.get(row["owner_segment"])}
        self._of_flag = {
            row["artifact_id"]
            for row in rows
            if row["role"] == "validation_flag" and row["sha256_hex"] == sha256(self._flag(row).read_bytes())
        }
        self._of_content = {
            row["artifact_id"]
            for row in rows
            if row["sha256_hex"] == _of_files(by_artefact.get(row["artifact_id"], []))
        }

    def _documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        receipt, content = (json.loads(one(self._run, pattern).read_bytes()) for pattern in (RECEIPT, CONTENT))
        return receipt, content

    def _flag(self, row: Mapping[str, Any]) -> Path:
        return one(self._run, f"data/{row['owner_layer']}/{row['owner_segment']}/validation/*/_passed.flag")

    def _place(self, path: str) -> Path | None:
        """A sealed file of the run itself; None for one of the package."""
        places = (self._run / path, self._run / "reference" / path)
        return next((place for place in places if place.is_file()), None)

    def _files(self, content: Mapping[str, Any]) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for entry in content["entries"]:
            place = self._place(entry["path"])
            if place is not None:
                found.setdefault(entry["artifact_id"], []).append(place)
        return found

    def mend(self) -> None:
        """Bundles of upstream segments, then the gate's own documents. What S0 recorded when it sealed stays: it is what is
        left to compare with, and whoever rewrites that too leaves nothing in the run that tells."""
        receipt, content = self._documents()
        for entry in content["entries"]:
            place = self._place(entry["path"])
            if place is not None:
                raw = place.read_bytes()
                entry |= {"sha256_hex": sha256(raw), "size_bytes": len(raw)}
        for segment, state in receipt["upstream_segments"].items():
            state["bundle_digest"] = mend_upstream(self._run, segment)
        rows = json.loads(one(self._run, SEALED).read_bytes())
        files = self._files(content)
        for row in rows:
            name, segment = row["artifact_id"], row["owner_segment"]
            if name in self._of_content:
                row["sha256_hex"] = _of_files(files[name])
            elif name in self._of_bundle:
                row["sha256_hex"] = receipt["upstream_segments"][segment]["bundle_digest"]
            elif name in self._of_flag:
                row["sha256_hex"] = sha256(self._flag(row).read_bytes())
        receipt["sealed_inputs_digest"] = sealed_digest(rows)
        for pattern, document in ((CONTENT, content), (SEALED, rows), (RECEIPT, receipt)):
            put_bytes(one(self._run, pattern), canonical(document))


def sealed_digest(rows: list[dict[str, Any]]) -> str:
    """What the receipt states of the sealed rows."""
    ordered = sorted(rows, key=lambda row: (row["owner_segment"], row["artifact_id"], row["role"]))
    texts = (json.dumps({key: row.get(key) for key in _ROW_KEYS}, separators=(",", ":")) for row in ordered)
    return sha256("".join(texts).encode("ascii"))


def mend_upstream(run: Path, segment: str) -> str:
    """Mend index and flag of an upstream bundle; returns its digest."""
    layer = "layer2" if segment == "5A" else "layer1"
    folder = one(run, f"data/{layer}/{segment}/validation/*")
    index = one(folder, "*index*.json")
    listed = json.loads(index.read_bytes())
    items = listed if isinstance(listed, list) else next(value for value in listed.values() if isinstance(value, list))
    base = run if segment in ("2B", "3A") else folder
    for item in items:
        raw = (base / item["path"]).read_bytes()
        item |= {name: value for name, value in (("sha256_hex", sha256(raw)), ("size_bytes", len(raw))) if name in item}
    for name, member in (("s6_receipt_digest", "s6_receipt_3A"), ("s5_manifest_digest", "s5_manifest_3B")):
        if name in listed:
            listed[name] = next(item["sha256_hex"] for item in items if item["logical_id"] == member)
    put_bytes(index, canonical(listed))
    if segment == "3A":
        digest = sha256("".join(item["sha256_hex"] for item in sorted(items, key=lambda i: i["logical_id"])).encode())
    else:
        digest = _of_files([base / path for path in sorted(item["path"] for item in items)])
    flag = folder / "_passed.flag"
    if segment == "5A":
        put_bytes(flag, canonical(json.loads(flag.read_bytes()) | {"bundle_digest_sha256": digest}))
    else:
        put_bytes(flag, f"sha256_hex = {digest}\n".encode())
    return digest


def mend_outputs(run: Path) -> None:
    """Mend what ledger and bundle state of published files: those that are there now, whatever they are."""
    for ledger in run.glob(LEDGER):
        edit_lines(ledger, lambda records: [_published(run, record) for record in records])
    index = one(run, BUNDLE)
    folder, listed = index.parent, json.loads(index.read_bytes())
    for member, source in _COPIES.items():
        for file in sorted(run.glob(source + "**/*.jsonl" if source.endswith("/") else source)):
            place = folder / member
            if source.endswith("/"):
                place = place / file.relative_to(one(run, source))
            put_bytes(place, file.read_bytes())
    files = folder / "evidence/s5/published_files.json"
    put_bytes(files, canonical(_with_files(run, json.loads(files.read_bytes()))))
    for entry in listed["entries"]:
        entry["sha256_hex"] = sha256((folder / entry["path"]).read_bytes())
    put_bytes(index, canonical(listed))
    digest = _of_files([folder / path for path in sorted(entry["path"] for entry in listed["entries"])])
    flag = folder / "_passed.flag"
    put_bytes(flag, canonical(json.loads(flag.read_bytes()) | {"bundle_digest_sha256": digest}))
    for ledger in run.glob(LEDGER):
        edit_lines(ledger, lambda records: [_of_bundle(record, digest) for record in records])


def _of_bundle(record: dict[str, Any], digest: str) -> dict[str, Any]:
    return record | ({"bundle_digest": digest} if record.get("bundle_digest") else {})


def _beside(run: Path, paths: list[str]) -> list[str]:
    """Files that lie in the folders of some files."""
    folders = sorted({(run / path).parent for path in paths})
    return [file.relative_to(run).as_posix() for folder in folders for file in sorted(folder.iterdir())]


def _published(run: Path, record: dict[str, Any]) -> dict[str, Any]:
    if not record.get("published_files"):
        return record
    paths = _beside(run, list(record["published_files"]))
    return record | {"published_files": {path: sha256((run / path).read_bytes()) for path in paths}}


def _with_files(run: Path, listing: dict[str, Any]) -> dict[str, Any]:
    row_of_folder = {str(Path(row["path"]).parent): row for row in listing["files"]}
    files = []
    for path in sorted(_beside(run, [row["path"] for row in listing["files"]])):
        raw = (run / path).read_bytes()
        row = row_of_folder[str(Path(path).parent)]
        files.append(row | {"path": path, "sha256_hex": sha256(raw), "size_bytes": len(raw)})
    return listing | {"files": files}
