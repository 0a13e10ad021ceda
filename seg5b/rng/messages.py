"""The derivation message of law L4 and the domain keys of its families.

``msg = UER(domain_sep) | UER(family_id) | UER(manifest_fingerprint) | UER(parameter_hash) | LE64(seed) |
UER(scenario_id) | UER(domain_key)``, UER = 4-byte big-endian length and UTF-8 bytes. ``run_id`` never enters.
Source: docs/laws#stream-message, docs/laws#domain-keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from seg5b.runs.identity import RunIdentity

DOMAIN_KEY_LAWS = ("merchant_zone_bucket", "merchant_zone_channel_bucket")


@dataclass(frozen=True, slots=True)
class Stream:
    """Key (uint64) and 128-bit base counter, as two uint64, of one domain's random stream."""

    key: int
    counter_hi: int
    counter_lo: int


def uer(text: str) -> bytes:
    """Length-prefixed UTF-8: 4 bytes big-endian, then the bytes."""
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


def message_head(domain_sep: str, family_id: str, identity: RunIdentity, scenario_id: str) -> bytes:
    """Everything before the domain key, the same for all domains of a family and scenario."""
    return (
        uer(domain_sep)
        + uer(family_id)
        + uer(identity.manifest_fingerprint)
        + uer(identity.parameter_hash)
        + identity.seed.to_bytes(8, "little")
        + uer(scenario_id)
    )


def derive_stream(head: bytes, domain_key: str) -> Stream:
    """Key = bytes 0-7, counter high = 8-15, counter low = 16-23 of the SHA-256, read big-endian."""
    digest = hashlib.sha256(head + uer(domain_key)).digest()
    return Stream(*(int.from_bytes(digest[i : i + 8], "big") for i in (0, 8, 16)))


def group_domain_key(group_id: str) -> str:
    """Domain of one latent field."""
    return f"group_id={group_id}"


def country_domain_key(country: str) -> str:
    """Domain of the path that series of one country share (``log_gaussian_two_level_v1``)."""
    return f"level=country|country={country}"


def zone_domain_key(zone: str) -> str:
    """Domain of the path that series of one time zone share (``log_gaussian_two_level_v1``)."""
    return f"level=zone|zone={zone}"


def own_domain_key(merchant_id: int, zone: str, channel: str) -> str:
    """Domain of the path of one series (``log_gaussian_two_level_v1``)."""
    return f"level=own|merchant_id={merchant_id}|zone={zone}|channel={channel}"


def bucket_domain_prefix(law: str, merchant_id: int, zone: str, channel: str) -> str:
    """Domain key of a series' buckets up to the decimal bucket index.

    ``law``: ``merchant_zone_bucket`` (the channel does not enter) or ``merchant_zone_channel_bucket``. Raises
    `ValueError` for another one.
    """
    if law == "merchant_zone_bucket":
        return f"merchant_id={merchant_id}|zone={zone}|bucket_index="
    if law == "merchant_zone_channel_bucket":
        return f"merchant_id={merchant_id}|zone={zone}|channel={channel}|bucket_index="
    raise ValueError(f"domain key law {law!r} is none of {DOMAIN_KEY_LAWS}")
