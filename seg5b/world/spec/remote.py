"""Remote trade: the law ``public_v1`` of a specification's virtual merchants (docs/laws#world-public-remote)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seg5b.public_tables import LAW
from seg5b.world.plan import Channel, Shares
from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import CHANNELS, ONLINE

_MADE: Final = ("only", "hybrid")
_PRESENT, _NOT_PRESENT = CHANNELS


def remote_by_edges(virtual: Mapping[str, Any]) -> bool:
    """Whether a section ``virtual`` asks that remote trade comes through edges alone."""
    return bool(virtual["law"] == LAW)


def check_remote(virtual: Mapping[str, Any]) -> None:
    """Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where a section ``virtual`` of this law states what follows from it."""
    if not remote_by_edges(virtual):
        return
    stray = next((key for key in _MADE if key in virtual), None)
    if stray:
        what = f"and virtual.law: {LAW} both say who is virtual"
        raise refusal(f"virtual.{stray}", virtual[stray], what, "state one of them")
    if set(virtual["classes"]) - set(ONLINE):
        what = f"are not the online classes, which virtual.law: {LAW} means"
        raise refusal("virtual.classes", list(virtual["classes"]), what, "leave it out")


def check_remote_channels(channels: Sequence[Channel], class_volume: Shares) -> None:
    """Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` where a class of shops would sell with the card not present, or an online
    one with the card present."""
    for each in channels:
        sells = [name for name in class_volume if not each.classes or name in each.classes]
        wrong = [name for name in sells if each.name in CHANNELS and (name in ONLINE) != (each.name == _NOT_PRESENT)]
        if wrong:
            how = "by edges alone" if each.name == _PRESENT else "at sites"
            what = f"has {wrong[0]}, which sells {how} under virtual.law: {LAW}"
            raise refusal(f"channels.{each.name}.classes", sells, what, f"leave {wrong[0]} out of it")
