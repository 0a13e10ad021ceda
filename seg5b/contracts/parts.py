"""Which files a published dataset consists of: one file, or parts in a folder of the contracted name (law L13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from seg5b.errors import InputError

_PART = re.compile(r"part-[0-9]{6}\.parquet")


def part_name(number: int) -> str:
    """Name of part ``number``, counted from 0."""
    return f"part-{number:06d}.parquet"


def dataset_files(place: Path, *, code: str) -> list[Path]:
    """Files of a Parquet dataset, in the order of its rows.

    ``place``: where the dictionary says that the dataset lies. What is no folder is its own only file, whether it is there
    or not. A folder of a file's name (``.parquet``) holds parts: all of them, from 0, and nothing else. Of any other folder,
    every ``*.parquet`` at any depth, by name.

    Raises `InputError` ``code`` for a folder of parts where one is missing before others, where something else lies among
    them, or that is empty.
    """
    if not place.is_dir():
        return [place]
    if place.suffix != ".parquet":
        return sorted(place.rglob("*.parquet"))
    found = sorted(place.iterdir())
    again = "set the folder aside and run the state that writes it again"
    if not found:
        raise InputError(code, "a folder of parts without any part", where=str(place), remedy=again)
    for file in found:
        if not (_PART.fullmatch(file.name) and file.is_file()):
            what = f"{file.name} is no part, and lies among the parts of a dataset"
            raise InputError(code, what, where=str(file), remedy="take it out of the folder")
    for number, file in enumerate(found):
        if file.name != part_name(number):
            what = f"{part_name(number)} is missing, {file.name} is there"
            raise InputError(code, what, where=str(place / part_name(number)), remedy=again)
    return found


def dataset_name(files: Sequence[Path]) -> str:
    """What to call a dataset in a message, by its files: the path of the only one, or of the folder of several."""
    return str(files[0] if len(files) == 1 else files[0].parent)
