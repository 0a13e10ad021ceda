"""Law L17: the time-zone database is data with a version, shipped, and found by that version."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b import tzdb
from seg5b.errors import WorldError
from seg5b.tzdb import DEFAULT, installed_release, open_tzdb, shipped_releases


def test_the_default_is_shipped_whole() -> None:
    assert DEFAULT in shipped_releases()
    database = open_tzdb()
    named = [row.split("\t")[2] for row in database.table("zone.tab").splitlines() if not row.startswith("#")]
    assert len(named) > 400 and all((database.zone(name) or b"").startswith(b"TZif") for name in named)
    assert database.zone("Nowhere/Land") is None
    assert database.table("tzdata.zi").startswith(f"# version {DEFAULT}")


def test_a_release_has_two_names() -> None:
    assert open_tzdb("2026.6").release == open_tzdb("2026f").release == "2026f"


def test_the_installed_release_can_be_chosen() -> None:
    if not installed_release():
        pytest.skip("the tzdata package is not installed")
    database = open_tzdb(installed_release())
    assert (database.zone("Europe/Paris") or b"").startswith(b"TZif") and database.zone("Nowhere") is None
    if installed_release() == DEFAULT:
        assert database.sha256() == open_tzdb().sha256()


def test_an_unknown_release_names_those_that_are_known() -> None:
    for release in ("2019a", "2026.77", "", "../x"):
        with pytest.raises(WorldError) as failure:
            open_tzdb(release)
        assert failure.value.code == "5B.WORLD.TZDB_UNKNOWN" and DEFAULT in failure.value.remedy


def test_a_damaged_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config/tzdb"
    folder.mkdir(parents=True)
    (folder / "2001a.zip").write_bytes(b"PK no archive")
    monkeypatch.setattr(tzdb, "resource_root", lambda: tmp_path)
    with pytest.raises(WorldError, match=r"TZDB_DAMAGED.*cannot be read"):
        open_tzdb("2001a")
