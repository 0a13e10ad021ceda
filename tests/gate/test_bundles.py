"""The seven upstream bundles: the reference's laws, and damage to each of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from seg5b.errors import GateError, RunError
from seg5b.gate import GateProgress, run_gate
from seg5b.gate.laws import LAWS, read_members

SEGMENTS = ("1A", "1B", "2A", "2B", "3A", "3B", "5A")
MISSING, MISMATCH = "5B.S0.UPSTREAM_GATE_MISSING", "5B.S0.UPSTREAM_GATE_MISMATCH"


def test_all_seven_hold_and_the_verdicts_are_told(world) -> None:
    heard: list[str] = []
    report = run_gate(world.root, world.contracts, note=heard.append)
    verdicts = report.summary["upstream_segments"]
    assert tuple(verdicts) == SEGMENTS
    assert {fields["status"] for fields in verdicts.values()} == {"PASS"}
    versions = {segment: fields["spec_version"] for segment, fields in verdicts.items()}
    assert versions == {segment: "1.0.0" if segment in ("3A", "5A") else "1.0" for segment in SEGMENTS}
    assert verdicts["2B"]["bundle_path"].endswith("/index.json")
    assert "3A: bundle holds (4 members listed, 3 digests compared)" in heard


@pytest.mark.parametrize("segment", SEGMENTS)
def test_an_absent_bundle_is_missing(world, segment: str) -> None:
    shutil.rmtree(world.bundle(segment))
    progress = GateProgress()
    error = world.refused(GateError, MISSING, progress=progress)
    assert segment in error.what
    summary = progress.summary()
    reached = SEGMENTS.index(segment)
    assert (summary["upstream_pass_count"], summary["upstream_fail_count"]) == (reached, 0)
    assert summary["upstream_missing_count"] == 7 - reached
    assert summary["sealed_inputs_digest"] is None


# --- damage that every segment can suffer ------------------------------------------------------------------------


def _truncate_index(world, segment: str) -> None:
    path = world.index(segment)
    path.write_bytes(path.read_bytes()[:-3])


def _index_not_utf8(world, segment: str) -> None:
    world.index(segment).write_bytes(b"[\xff]")


def _index_wrong_shape(world, segment: str) -> None:
    index = json.loads(world.index(segment).read_bytes())
    world.index(segment).write_bytes(world.canon({} if isinstance(index, list) else []))


def _index_scalar(world, segment: str) -> None:
    world.index(segment).write_bytes(b"null")


def _index_items_wrong(world, segment: str) -> None:
    index = json.loads(world.index(segment).read_bytes())
    key = {"2A": "files", "3A": "members", "3B": "members", "5A": "entries"}.get(segment)
    world.index(segment).write_bytes(world.canon([7] if key is None else {**index, key: [7]}))


def _index_repeats_key(world, segment: str) -> None:
    path = world.index(segment)
    path.write_bytes(path.read_bytes().replace(b'"path":', b'"path":"x","path":', 1))


def _index_absent(world, segment: str) -> None:
    world.index(segment).unlink()


def _flag_absent(world, segment: str) -> None:
    world.flag(segment).unlink()


def _flag_is_folder(world, segment: str) -> None:
    world.flag(segment).unlink()
    world.flag(segment).mkdir()


def _flag_malformed(world, segment: str) -> None:
    world.flag(segment).write_bytes(b"sha256_hex=" + b"0" * 64)


def _flag_not_utf8(world, segment: str) -> None:
    world.flag(segment).write_bytes(b"\xff\xfe")


def _flag_empty(world, segment: str) -> None:
    world.flag(segment).write_bytes(b"")


def _flag_other_digest(world, segment: str) -> None:
    body = world.flag(segment).read_bytes()
    digest = world.sha(b"other").encode()
    start = body.index(b"= ") + 2 if segment != "5A" else body.index(b'256":"') + 6
    world.flag(segment).write_bytes(body[:start] + digest + body[start + 64 :])


def _flag_leads_out(world, segment: str) -> None:
    outside = world.root.path.parent / "flag"
    outside.write_bytes(world.flag(segment).read_bytes())
    world.flag(segment).unlink()
    world.flag(segment).symlink_to(outside)


ANYWHERE: tuple[Callable, ...] = (
    _truncate_index,
    _index_not_utf8,
    _index_wrong_shape,
    _index_scalar,
    _index_items_wrong,
    _index_repeats_key,
    _index_absent,
    _flag_absent,
    _flag_is_folder,
    _flag_malformed,
    _flag_not_utf8,
    _flag_empty,
    _flag_other_digest,
)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("damage", ANYWHERE, ids=lambda damage: damage.__name__.strip("_"))
def test_damage_to_index_or_flag_is_a_mismatch(world, segment: str, damage: Callable) -> None:
    damage(world, segment)
    # 2B's catalogue entry is its index file: without it there is no bundle at all.
    code = MISSING if segment == "2B" and damage is _index_absent else MISMATCH
    error = world.refused(GateError, code, depth="digest")
    assert segment in error.what or damage is _index_items_wrong


def test_a_failed_segment_is_recorded_as_fail(world) -> None:
    _flag_empty(world, "2A")
    progress = GateProgress()
    world.refused(GateError, MISMATCH, progress=progress)
    counts = progress.summary()
    assert [counts[f"upstream_{name}_count"] for name in ("pass", "fail", "missing")] == [2, 1, 4]
    assert counts["upstream_segments"]["2A"]["status"] == "FAIL"
    assert "bundle_digest" not in counts["upstream_segments"]["2A"]


def test_a_flag_behind_a_link_out_of_the_run_is_refused(world) -> None:
    _flag_leads_out(world, "3B")
    world.refused(RunError, "5B.RUN.PATH_ESCAPES")


def test_a_second_line_in_a_text_flag_is_tolerated(world) -> None:
    with world.flag("1A").open("ab") as stream:
        stream.write(b"made by hand\n")
    run_gate(world.root, world.contracts)


# --- members ---------------------------------------------------------------------------------------------------


def _first_item(index):
    items = index if isinstance(index, list) else index.get("files", index.get("members", index.get("entries")))
    return items[0]


def _member_path(world, segment: str):
    path = _first_item(json.loads(world.index(segment).read_bytes()))["path"]
    return (world.root.path if segment in ("2B", "3A") else world.bundle(segment)) / path


@pytest.mark.parametrize("segment", ("1A", "1B", "2A", "2B", "3B", "5A"))
@pytest.mark.parametrize("depth", ("content", "digest"))
def test_a_flipped_bit_in_a_member_is_a_mismatch(world, segment: str, depth: str) -> None:
    path = _member_path(world, segment)
    body = bytearray(path.read_bytes())
    body[0] ^= 1
    path.write_bytes(bytes(body))
    world.refused(GateError, MISMATCH, depth=depth)


@pytest.mark.parametrize("segment", ("2B", "3B", "5A"))
def test_a_listed_but_absent_member_is_named(world, segment: str) -> None:
    path = _member_path(world, segment)
    path.unlink()
    error = world.refused(GateError, MISMATCH)
    assert "does not exist" in error.what
    assert path.name in error.what


@pytest.mark.parametrize("segment", ("1A", "1B", "2A"))
def test_closed_bundles_name_what_is_absent_or_extra(world, segment: str) -> None:
    path = _member_path(world, segment)
    body = path.read_bytes()
    path.unlink()
    assert path.name in world.refused(GateError, MISMATCH).what
    path.write_bytes(body)
    world.write(world.bundle(segment) / "deep/er/extra.txt", b"")
    assert "deep/er/extra.txt" in world.refused(GateError, MISMATCH).what


@pytest.mark.parametrize("segment", ("2B", "3A", "3B", "5A"))
def test_open_bundles_may_hold_more_than_they_list(world, segment: str) -> None:
    world.write(world.bundle(segment) / "extra.txt", b"")
    run_gate(world.root, world.contracts)


ODD_PATHS = {
    "/etc/hostname": "is absolute",
    "../x.json": "climbs",
    "a/../../x.json": "climbs",
    "a\\b": "backslash",
    "C:x": "colon",
    "é.json": "printable ASCII",
    "a\x00b": "printable ASCII",
}


@pytest.mark.parametrize(("path", "word"), ODD_PATHS.items(), ids=map(ascii, ODD_PATHS))
def test_member_paths_that_climb_or_are_odd_are_refused(world, path: str, word: str) -> None:
    world.edit_index("2A", lambda index: _first_item(index).update(path=path), reflag=False)
    assert word in world.refused(GateError, MISMATCH).what


@pytest.mark.parametrize("segment", ("1A", "1B", "2B", "3B", "5A"))
def test_no_bundle_may_climb(world, segment: str) -> None:
    world.edit_index(segment, lambda index: _first_item(index).update(path="../../x.json"), reflag=False)
    # The 2B schema says it first.
    word = "does not match" if segment == "2B" else "climbs"
    assert word in world.refused(GateError, MISMATCH, depth="digest").what


@pytest.mark.parametrize("segment", ("1A", "2A", "3B", "5A"))
def test_an_empty_path_is_refused(world, segment: str) -> None:
    world.edit_index(segment, lambda index: _first_item(index).update(path=""), reflag=False)
    world.refused(GateError, MISMATCH)


@pytest.mark.parametrize("segment", ("1A", "2A", "2B", "3B", "5A"))
def test_a_path_listed_twice_is_refused(world, segment: str) -> None:
    def repeat(index):
        items = index if isinstance(index, list) else index.get("files", index.get("members", index.get("entries")))
        items.append(items[0])

    world.edit_index(segment, repeat)
    assert "more than once" in world.refused(GateError, MISMATCH).what


@pytest.mark.parametrize(
    "item", [7, None, {}, {"path": 7}, {"path": "x"}, {"path": "x", "sha256_hex": "A" * 64}], ids=str
)
def test_members_are_judged_even_where_a_schema_is_lax(item) -> None:
    law = next(law for law in LAWS if law.segment == "2A")
    with pytest.raises(ValueError, match=r"without path|no usable sha256_hex"):
        read_members([item], law)


def test_a_logical_id_listed_twice_is_refused(world) -> None:
    world.edit_index("3A", lambda index: index["members"].append(index["members"][0]))
    assert "more than once" in world.refused(GateError, MISMATCH).what


@pytest.mark.parametrize("segment", ("2A", "2B", "3B", "5A"))
def test_a_member_behind_a_link_out_of_the_run_is_refused(world, segment: str) -> None:
    path = _member_path(world, segment)
    outside = world.root.path.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert "leads outside" in world.refused(GateError, MISMATCH).what


def test_a_folder_behind_a_link_is_refused(world) -> None:
    (world.bundle("1B") / "more").symlink_to(world.bundle("1A"), target_is_directory=True)
    assert "symbolic link more" in world.refused(GateError, MISMATCH).what


def test_a_link_that_turns_in_a_circle_is_refused(world) -> None:
    path = _member_path(world, "5A")
    path.unlink()
    path.symlink_to(path)
    world.refused(GateError, MISMATCH)


def test_an_empty_list_gives_the_digest_of_nothing(world) -> None:
    for path in world.bundle("1A").iterdir():
        path.unlink()
    world.write(world.index("1A"), b"[]")
    world.reflag("1A")
    world.edit_index("5A", lambda index: index.update(entries=[]))
    run_gate(world.root, world.contracts)


def test_member_order_in_the_index_does_not_matter(world) -> None:
    for segment in ("2A", "3A", "5A"):
        digest = world.flag(segment).read_bytes()
        key = {"2A": "files", "3A": "members", "5A": "entries"}[segment]
        world.edit_index(segment, lambda index, key=key: index[key].reverse(), reflag=False)
        assert world.flag(segment).read_bytes() == digest
    run_gate(world.root, world.contracts)
