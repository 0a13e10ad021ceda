"""What is shipped beside the code: constraints, the mark of typed packages, the licence, and the version."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
import seg5b_kernels
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import seg5b

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins(text: str) -> dict[str, Version]:
    """Package and version of every line ``name==version`` of a constraints file. Any other line is an error."""
    found: dict[str, Version] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (only,) = requirement.specifier
            assert only.operator == "==" and not requirement.extras and not requirement.marker, line
            found[canonicalize_name(requirement.name)] = Version(only.version)
    return found


PINS = pins((ROOT / "constraints.txt").read_text("utf-8"))
ASKED = [Requirement(line) for line in PROJECT["dependencies"]]


def needed(name: str) -> list[Requirement]:
    """What an installed package requires here, extras aside; nothing where it is not installed."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return []
    found = [Requirement(line) for line in lines]
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_constraints_admit_what_the_package_asks_for(asked: Requirement) -> None:
    assert PINS[canonicalize_name(asked.name)] in asked.specifier


def test_constraints_name_all_that_is_installed_with_the_package_and_no_more() -> None:
    reached: set[str] = set()
    waiting = list(ASKED)
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in reached:
            reached.add(name)
            waiting += needed(name)
    assert reached - PINS.keys() == set(), "not pinned"
    here_or_elsewhere = {"typing-extensions"}  # not needed from Python 3.13 on
    assert PINS.keys() - reached <= here_or_elsewhere, "not a package that the runtime needs"


def test_constraints_are_exact() -> None:
    with pytest.raises(AssertionError, match="numpy>=2"):
        pins("numpy>=2\n")


@pytest.mark.parametrize("package", [seg5b, seg5b_kernels], ids=lambda package: package.__name__)
def test_packages_are_marked_as_typed(package: Any) -> None:
    assert (Path(package.__file__).parent / "py.typed").is_file()


def test_the_licence_is_the_one_that_the_metadata_name() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    (name,) = PROJECT["license-files"]
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", (ROOT / name).read_text("utf-8"))


def test_the_changelog_knows_the_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert seg5b.__version__ in headings


# ---------------------------------------------------------------------------------------------- environment.yml

CONDA_NAMES = {"duckdb": "python-duckdb", "tzdata": "python-tzdata", "cupy-cuda13x": "cupy", "cudf-cu13": "cudf"}


def of_conda() -> dict[str, Requirement]:
    """What the environment for workstations asks for, by name, conda's and pip's."""
    listed = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    lines = [line for each in listed for line in (each["pip"] if isinstance(each, dict) else [each])]
    found = [Requirement(re.sub(r"^python=", "python==", line)) for line in lines]
    return {each.name: each for each in found}


def lowest(requirement: Requirement) -> Version:
    (only,) = requirement.specifier
    assert only.operator == ">="
    return Version(only.version)


def test_the_conda_environment_has_the_floors_of_the_package() -> None:
    extras = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
    has = of_conda()
    ours = [each for each in (*ASKED, *extras["cuda13"], *extras["cudf13"]) if each.name != "seg5b"]
    for asked in ours:
        assert lowest(has[CONDA_NAMES.get(asked.name, asked.name)]) == lowest(asked), asked.name
    for asked in extras["test"]:
        if asked.name in has and asked.name != "numba-cuda":
            assert lowest(has[asked.name]) == lowest(asked), asked.name


def test_the_conda_environment_has_what_tests_of_devices_import() -> None:
    """Whatever those tests, and what they share, import at their head or later."""
    names = {"pytest": "pytest", "yaml": "pyyaml", "rmm": "cudf", "numba": "numba", "cuda": "numba-cuda"}
    files = [
        path
        for folder in ("kernels", "backends", "frames", "device")
        for path in (ROOT / "tests" / folder).rglob("*.py")
    ]
    imported = {
        name.partition(".")[0]
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [each.name for each in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None)]
        )
        if isinstance(node, ast.Import | ast.ImportFrom) and name
    }
    local = {path.stem for folder in ("tests/kernels", "bench") for path in (ROOT / folder).glob("*.py")}
    foreign = (
        imported
        - set(sys.stdlib_module_names)
        - local
        - {"seg5b", "seg5b_kernels", "seg5b_compiled", "tests", "llvmlite"}
    )
    assert {names.get(name, name) for name in foreign} <= set(of_conda())
