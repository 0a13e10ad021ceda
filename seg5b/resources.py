"""What comes with the package: contracts and policies, inside an installed wheel or at the top of a checkout; and which
code this is."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import seg5b_kernels
from seg5b_compiled import source_digest

_PACKAGE = Path(__file__).resolve().parent


def resource_root() -> Path:
    """Folder that holds ``contracts/`` and ``config/``."""
    packaged = _PACKAGE / "_data"
    return packaged if packaged.is_dir() else _PACKAGE.parent


@cache
def code_digest() -> str:
    """64 hex digits over every source file of seg5b and its kernels: another digest, perhaps other data."""
    digest = hashlib.sha256(source_digest(Path(seg5b_kernels.__file__).parent).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def code_versions() -> dict[str, str]:
    """What must be the same wherever parts of one run are made: digest of the code, and packages that data pass through."""
    packages = ("llvmlite", "numba", "numpy", "pyarrow")
    return {"code": code_digest()[:16], **{name: version(name) for name in packages}}
