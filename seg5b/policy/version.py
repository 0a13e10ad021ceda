"""Whether a policy file is of the version that the dictionary asks for (docs/laws#policy-version)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VERSION_KEYS = ("version", "policy_version", "prior_pack_version", "version_tag")
_PLACEHOLDERS = ("", "TBD", "null", "unknown")


def policy_version(payload: Mapping[str, Any]) -> str | None:
    """Version that a policy states: the first of ``version``, ``policy_version``, ``prior_pack_version``,
    ``version_tag`` that is not null."""
    return next((str(payload[key]) for key in _VERSION_KEYS if payload.get(key) is not None), None)


def policy_version_matches(dictionary_version: str, payload: Mapping[str, Any]) -> bool:
    """Whether the policy's version agrees with the dictionary's.

    A placeholder in the dictionary (empty, ``TBD``, ``null``, ``unknown``, or anything in braces) asks only that the
    policy states a version. Otherwise a stated version must start with the dictionary's, compared part by part
    between dots after one leading ``v`` is dropped from each; a policy that states none is accepted.
    """
    wanted, stated = dictionary_version.strip(), policy_version(payload)
    if wanted in _PLACEHOLDERS or "{" in wanted or "}" in wanted:
        return bool(stated)
    if stated is None:
        return True
    prefix = _parts(wanted)
    return _parts(stated)[: len(prefix)] == prefix


def _parts(version: str) -> list[str]:
    text = version.strip()
    return (text[1:] if text[:1] in ("v", "V") else text).split(".")
