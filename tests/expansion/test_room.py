"""Parts that step back for want of memory come again one by one, and all of them do."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from seg5b.expansion.room import Room

WAIT_S = 30


def test_a_part_alone_has_the_room_for_itself() -> None:
    room = Room()
    room.enter()
    assert not room.shared
    room.enter()
    assert room.shared
    room.leave()
    assert not room.shared


def test_who_steps_back_comes_again_when_another_has_ended() -> None:
    room = Room()
    room.enter()
    room.enter()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(room.step_back)
        time.sleep(0.05)
        assert not waiting.done() and not room.shared
        room.leave()
        waiting.result(WAIT_S)
    assert not room.shared


def test_where_all_step_back_one_goes_on() -> None:
    """And each end lets another in, until all are done."""
    room, most = Room(), 2
    lock, inside, ended = Lock(), 0, 0

    def part() -> None:
        nonlocal inside, ended
        room.enter()
        while True:
            with lock:
                fits = inside < most
                inside += fits
            if fits:
                break
            if room.shared:
                room.step_back()
        time.sleep(0.001)
        with lock:
            inside, ended = inside - 1, ended + 1
        room.leave()

    with ThreadPoolExecutor(12) as pool:
        for each in [pool.submit(part) for _ in range(60)]:
            each.result(WAIT_S)
    assert ended == 60 and inside == 0
