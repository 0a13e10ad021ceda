"""Which files a dataset consists of: one file, parts in a folder of its name, or the files of any other folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.contracts import dataset_files, dataset_name
from seg5b.errors import InputError

CODE = "5B.TEST.INCOMPLETE"


def folder(place: Path, *names: str) -> Path:
    """A folder with empty files."""
    place.mkdir(parents=True)
    for name in names:
        (place / name).touch()
    return place


def test_what_is_no_folder_is_its_own_file(tmp_path: Path) -> None:
    """There or not: whoever reads it says so."""
    place = tmp_path / "counts.parquet"
    assert dataset_files(place, code=CODE) == [place]
    place.touch()
    assert dataset_files(place, code=CODE) == [place]
    assert dataset_name([place]) == str(place)


def test_parts_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = [f"part-{number:06d}.parquet" for number in (11, 0, 2, 1, *range(3, 11))]
    place = folder(tmp_path / "counts.parquet", *names)
    found = dataset_files(place, code=CODE)
    assert [file.name for file in found] == sorted(names)
    assert dataset_name(found) == str(place)


def test_another_folder_may_hold_anything(tmp_path: Path) -> None:
    place = folder(tmp_path / "scenario_id=x", "part-000002.parquet", "b.parquet", "notes.txt")
    folder(place / "a=1", "z.parquet")
    names = [file.relative_to(place).as_posix() for file in dataset_files(place, code=CODE)]
    assert names == ["a=1/z.parquet", "b.parquet", "part-000002.parquet"]


@pytest.mark.parametrize(
    ("names", "where", "what"),
    [
        ((), "", "without any part"),
        (("part-000000.parquet", "part-000002.parquet"), "part-000001.parquet", "part-000001.parquet is missing"),
        (("part-000001.parquet",), "part-000000.parquet", "part-000000.parquet is missing"),
        (("part-000000.parquet", "part-0001.parquet"), "part-0001.parquet", "no part"),
        (("part-000000.parquet", ".part-000001.parquet.swp"), ".part-000001.parquet.swp", "no part"),
        (("part-000000.parquet", "part-000001.parquet.partial"), "part-000001.parquet.partial", "no part"),
    ],
)
def test_parts_that_are_not_all_there_or_not_alone_are_refused(
    tmp_path: Path, names: tuple[str, ...], where: str, what: str
) -> None:
    place = folder(tmp_path / "counts.parquet", *names)
    with pytest.raises(InputError, match=what) as failure:
        dataset_files(place, code=CODE)
    assert (failure.value.code, failure.value.where) == (CODE, str(place / where)) and failure.value.remedy
