"""Packages for CUDA that are broken, too old, missing or made for different versions of CUDA: a reason, never a traceback.

They are planted as folders that Python finds before what is installed, in processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.backends import packages

REPOSITORY = Path(__file__).parents[2]
Planted = Callable[..., None]
# A driver that knows of itself; whoever asks it for devices is told that there are none.
WITH_A_DRIVER = """
import sys
from seg5b.backends import devices, driver
devices._has_driver, driver.version = lambda: True, lambda: ({major}, 4)
{before}
from seg5b.backends.choose import choose_backend
print(choose_backend("auto").reason)
try:
    choose_backend("cuda")
except Exception as failure:
    print(getattr(failure, "code", failure))
from seg5b.cli import main
main(["doctor"])
"""


@pytest.fixture
def plant(tmp_path: Path) -> Planted:
    """``plant(package, version, **{module: source})``: a package that shadows what is installed."""

    def planted(package: str, version: str, **modules: str) -> None:
        about = tmp_path / f"{package.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        for module, source in modules.items():
            folder = tmp_path / module.replace(".", "/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "__init__.py").write_text(source)

    return planted


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., str]:
    """``python(*arguments)``: what Python prints where planted packages are found first; it must end well and silently."""

    def run(*arguments: str) -> str:
        search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": search, "COLUMNS": "400"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


BROKEN = [
    ("cuda-core", "cuda.core", "raise ImportError('libcudart.so.12: cannot open shared object file')", "ImportError"),
    ("numba-cuda", "numba_cuda.numba.cuda", "import numba\nnumba.no_such_thing", "AttributeError"),
    ("cupy-cuda13x", "cupy", "raise OSError('no file\\nof that name')", "OSError: no file of that name"),
    ("cupy-cuda13x", "cupy", "raise RuntimeError", "(RuntimeError)"),
]


@pytest.mark.parametrize(
    ("package", "module", "source", "said"), BROKEN, ids=[f"{each[0]} {each[3]}" for each in BROKEN]
)
def test_doctor_names_a_broken_package(
    plant: Planted, python: Callable[..., str], package: str, module: str, source: str, said: str
) -> None:
    if package == "numba-cuda":
        plant("numba-cuda", "99.1", numba_cuda="", **{module: source})
    else:
        plant(package, "99.1", **{module: source})
    (line,) = (line for line in python("-m", "seg5b", "doctor").splitlines() if line.startswith("CUDA packages"))
    name = package.removesuffix("-cuda13x")
    assert line.startswith(f"CUDA packages: {name} 99.1 cannot be imported ({said.removeprefix('(')}")
    assert "pip install 'seg5b[cuda13]'" in line


KEEPS_AS_CUPY_DOES = """
import os
os.makedirs(os.environ.get("CUPY_CACHE_DIR", os.path.expanduser("~/.cupy/kernel_cache")), exist_ok=True)
"""


def test_cupy_may_keep_what_it_compiles_where_the_home_is_not_writable(
    plant: Planted, python: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """cupy 14.2 makes its folder as it is imported. A file for a home: nobody can write there, root neither."""
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CUPY_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plant("cupy-cuda13x", "99.1", cupy=KEEPS_AS_CUPY_DOES)
    assert "cannot be imported" not in python("-m", "seg5b", "doctor")
    assert (tmp_path / "cache/seg5b/cupy").is_dir()


def test_a_broken_package_is_the_reason_of_auto_and_cuda(plant: Planted, python: Callable[..., str]) -> None:
    plant("cupy-cuda13x", "99.1", cupy="raise OSError('half a file')")
    told = python("-c", WITH_A_DRIVER.format(major=13, before="")).splitlines()
    assert told[0].startswith("auto: cupy 99.1 cannot be imported (OSError: half a file): reinstall it")
    assert told[1] == "5B.BACKEND.CUDA_UNAVAILABLE"
    assert f"--backend auto takes cpu: {told[0]}" in told


def test_doctor_names_packages_for_different_versions_of_cuda(plant: Planted, python: Callable[..., str]) -> None:
    plant("cupy-cuda12x", "98.0")
    plant("cupy-cuda13x", "99.0")
    told = python("-m", "seg5b", "doctor")
    assert "CUDA packages: packages for different versions of CUDA are installed, " in told
    assert "cupy-cuda12x 98.0" in told and "cupy-cuda13x 99.0" in told and "uninstall one side" in told
    mixed = json.loads(python("-m", "seg5b", "doctor", "--json"))["cuda"]
    assert list(mixed["troubles"]) == ["cuda-bindings"] and mixed["obstacle"]


WITHOUT_NUMBA_CUDA = """
from seg5b.backends import packages
sys.modules["numba_cuda"] = None
installed = packages.version
packages.version = lambda name: None if name == "numba-cuda" else installed(name)
"""


def test_without_numba_cuda_doctor_says_what_to_install(python: Callable[..., str]) -> None:
    told = python("-c", WITH_A_DRIVER.format(major=13, before=WITHOUT_NUMBA_CUDA)).splitlines()
    assert told[0].startswith("auto: the package numba-cuda is not installed: pip install 'seg5b[cuda13]'")
    assert told[1] == "5B.BACKEND.CUDA_UNAVAILABLE"
    assert f"--backend auto takes cpu: {told[0]}" in told


def test_a_release_below_the_floor_is_not_imported(plant: Planted, python: Callable[..., str]) -> None:
    plant("numba-cuda", "0.20.1", numba_cuda="", **{"numba_cuda.numba.cuda": "raise SystemExit('imported')"})
    told = python("-m", "seg5b", "doctor")
    assert "numba-cuda 0.20.1 is older than 0.22.2: pip install -U 'seg5b[cuda13]' (or [cuda12]" in told


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    names = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(packages, "version", names.get)


@pytest.mark.parametrize(
    ("driver", "said"), [((12, 4), "'seg5b[cuda12]' instead of [cuda13]"), ((11, 8), "install a newer")]
)
def test_a_driver_older_than_the_packages(monkeypatch: pytest.MonkeyPatch, driver: tuple[int, int], said: str) -> None:
    installed(monkeypatch, cupy_cuda13x="14.2.0", cuda_bindings="13.5.0")
    trouble = packages.troubles(driver)["cuda-bindings"]
    assert f"the driver runs CUDA {driver[0]}.{driver[1]} at most" in trouble
    assert "cupy-cuda13x 14.2.0, cuda-bindings 13.5.0 need a driver for CUDA 13" in trouble and said in trouble
    assert packages.troubles((13, 0)) == {} == packages.troubles(None)


def test_numba_cuda_of_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """``numba-cuda[cu12]`` shows in the release of cuda-bindings only."""
    installed(monkeypatch, cupy_cuda13x="14.2.0", cuda_bindings="12.9.4", numba_cuda="0.30.4")
    trouble = packages.troubles((13, 0))["cuda-bindings"]
    assert "cuda-bindings 12.9.4 for CUDA 12 beside cupy-cuda13x 14.2.0 for CUDA 13" in trouble


def test_the_floors_are_what_the_extras_demand() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for major in (12, 13):
        floors = {
            f"cupy-cuda{major}x>={packages.FLOORS['cupy']}",
            f"numba-cuda[cu{major}]>={packages.FLOORS['numba-cuda']}",
        }
        assert set(extras[f"cuda{major}"]) == floors


NAMES_ONLY = """
import sys
import seg5b, seg5b_kernels.registry, seg5b.api
from seg5b.backends.choose import choose_backend
choose_backend("cpu")
from seg5b.cli import main
for words in (["--help"], ["run", "--help"], ["plan", "--help"], ["status", "--help"]):
    main(words, standalone_mode=False)
loaded = [name for name in sys.modules if name.split(".")[0] in ("numba_cuda", "cupy", "cudf", "cuda")]
print("loaded:", loaded + [name for name in sys.modules if name.startswith("numba.cuda")])
"""


def test_a_process_on_the_cpu_imports_nothing_of_cuda(python: Callable[..., str]) -> None:
    assert python("-c", NAMES_ONLY).splitlines()[-1] == "loaded: []"
