"""Faults in the times that S4 draws, and in its clocks."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

ARRIVALS, ROUTING = "kernels/seg5b_kernels/arrivals.py", "kernels/seg5b_kernels/routing.py"
SCENARIO, TABLES = "seg5b/expansion/scenario.py", "seg5b/expansion/tables.py"
OFFSET = "    offset = offset_in_bucket(place, inputs.bucket_us)\n"
FAMILY = "        families[family_id] = Family(source, work.backend.upload(slot))\n"


def _offsets(change: str, of: str = "@first@ <= inputs.rows.series[row] < @stop@") -> tuple[Edit, ...]:
    """Offsets of some series are changed as they are drawn, and put in order afterwards."""
    return (Edit(ARRIVALS, OFFSET, f"{OFFSET}    if {of}:\n        {change}\n"),)


TIMES = (
    Fault(
        "times: whole seconds",
        "digits of a time",
        "all times of a merchant are whole seconds",
        edits=_offsets("offset -= offset % MICROSECONDS"),
    ),
    Fault(
        "times: whole milliseconds",
        "digits of a time",
        "all times of a merchant are whole milliseconds",
        edits=_offsets("offset -= offset % 1000"),
    ),
    Fault(
        "times: whole minutes",
        "digits of a time",
        "all times of a merchant are whole minutes",
        edits=_offsets("offset -= offset % (60 * MICROSECONDS)"),
    ),
    Fault(
        "times: even microseconds",
        "digits of a time",
        "all times of all merchants are even",
        edits=_offsets("offset &= ~1", "True"),
    ),
    Fault(
        "times: first half of a bucket",
        "a time",
        "all arrivals of a series come in the first half hour",
        edits=_offsets("offset //= 2", "inputs.rows.series[row] == @series@"),
    ),
    Fault(
        "times: a slope",
        "a time",
        "arrivals of a series come a little earlier in their bucket, by a twentieth",
        edits=_offsets("offset -= offset // 20", "inputs.rows.series[row] == @series@"),
    ),
    Fault(
        "times: mirrored pairs",
        "lazy",
        "every second arrival of a cell mirrors the one before it",
        edits=(
            Edit(
                ARRIVALS,
                "    word, _ = draw_words(inputs.time_stream, row, j)\n",
                "    word, _ = draw_words(inputs.time_stream, row, j & np.uint64(0xFFFFFFFFFFFFFFFE))\n"
                "    if j & np.uint64(1):\n"
                "        word = ~word\n",
            ),
        ),
    ),
    Fault(
        "times: the other word",
        "streams",
        "times are drawn from word 1",
        edits=(
            Edit(
                ARRIVALS,
                "word, _ = draw_words(inputs.time_stream, row, j)",
                "_, word = draw_words(inputs.time_stream, row, j)",
            ),
        ),
    ),
    Fault(
        "times: a block too far",
        "streams",
        "the j-th arrival takes the block of the one after it",
        edits=(
            Edit(
                ARRIVALS,
                "draw_words(inputs.time_stream, row, j)",
                "draw_words(inputs.time_stream, row, j + np.uint64(1))",
            ),
        ),
    ),
    Fault(
        "times: two zones share theirs",
        "streams",
        "the second zone of a merchant draws its times from the stream of the first",
        edits=(
            Edit(
                SCENARIO,
                FAMILY,
                f"        if family_id == TIME_JITTER:\n            slot[@other@] = slot[@twin@]\n{FAMILY}",
            ),
        ),
    ),
    Fault(
        "times: sites are drawn from the time stream",
        "streams",
        "coins and sites are drawn from the words of the times",
        edits=(
            Edit(
                SCENARIO,
                FAMILY,
                f"{FAMILY}        if family_id == SITE_PICK:\n            families[SITE_PICK] = families[TIME_JITTER]\n",
            ),
        ),
    ),
)

CLOCKS = (
    Fault(
        "clocks: changes an hour late",
        "clocks",
        "every change of offset takes place an hour late",
        edits=(
            Edit(
                TABLES,
                "(cache.start, cache.second, cache.offset_min))",
                "(cache.start, cache.second + 3600, cache.offset_min))",
            ),
        ),
    ),
    Fault(
        "clocks: settlement where it is used",
        "clocks",
        "one virtual merchant settles in the zone of each edge",
        edits=(
            Edit(
                TABLES,
                "            if tzid is not None:\n",
                "            if tzid is not None and merchant != @virtual@:\n",
            ),
        ),
    ),
    Fault(
        "clocks: settlement comes first",
        "clocks",
        "the settlement clock is the primary one",
        edits=(Edit(TABLES, 'int(self._policy.primary_clock == "settlement")', "1"),),
    ),
)
