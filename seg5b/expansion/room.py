"""How many parts are under way at once, where the memory of a device does not hold as many as there are threads."""

from __future__ import annotations

from threading import Condition


class Crowded(Exception):  # noqa: N818 - no failure: the part is made later
    """There is no memory for a part beside the others that are under way."""


class Room:
    """Parts that are under way. One that found no memory beside others steps back, and comes again when another has ended: so
    there are as many at once as memory holds, whatever else needs some of it. One that is alone never steps back."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._under_way = self._waiting = self._places = 0

    @property
    def shared(self) -> bool:
        """Whether more than one part is under way."""
        with self._changed:
            return self._under_way > 1

    def enter(self) -> None:
        """A part begins."""
        with self._changed:
            self._under_way += 1

    def leave(self) -> None:
        """A part has ended, well or not. One that waits may come in."""
        with self._changed:
            self._under_way -= 1
            self._places = min(self._places + 1, self._waiting)
            self._changed.notify_all()

    def step_back(self) -> None:
        """A part that is under way has given back its memory: wait until it may begin again, and enter."""
        with self._changed:
            self._under_way -= 1
            self._waiting += 1
            self._places = 0  # what ended before did not leave enough
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._places > 0 or self._under_way == 0)
            self._waiting -= 1
            self._places = max(self._places - 1, 0)
            self._under_way += 1
