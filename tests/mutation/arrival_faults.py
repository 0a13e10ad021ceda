"""Faults in what S4 makes: times, routes, clocks, and what is told of them."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

ARRIVALS, ROUTING, ALIAS = (f"kernels/seg5b_kernels/{name}.py" for name in ("arrivals", "routing", "alias"))
SCENARIO, TABLES, PARTS, SUMMARY = (f"seg5b/expansion/{name}.py" for name in ("scenario", "tables", "parts", "summary"))
COLUMNS, ACCOUNTING, S4 = "seg5b/expansion/columns.py", "seg5b/expansion/accounting.py", "seg5b/states/s4_arrivals.py"
EDGES, CONTEXT = "seg5b/inputs/edges.py", "seg5b/context.py"
OFFSET = "    offset = offset_in_bucket(word, inputs.bucket_us)\n"
FAMILY = "        families[family_id] = Family(source, work.backend.upload(slot))\n"
SITE_COLUMNS = "        columns = (tables.start, tables.probability, tables.alias, sites.site_id, zone)\n"
EDGE_COLUMNS = (
    "        columns = (tables.start, tables.probability, tables.alias, edges.edge_id, zone, edges.is_busy)\n"
)
FILLED = "                realised = realiser.realise(chunk_first, chunk_stop, out)\n"


def _offsets(change: str, of: str = "@first@ <= inputs.rows.series[row] < @stop@") -> tuple[Edit, ...]:
    """Offsets of some series are changed as they are drawn, and put in order afterwards."""
    return (Edit(ARRIVALS, OFFSET, f"{OFFSET}    if {of}:\n        {change}\n"),)


def _sites(change: str) -> tuple[Edit, ...]:
    """``ids``, ``chance``: of all entries; ``own``: those of a busy merchant and zone."""
    lines = (
        "ids, chance, number = sites.site_id.copy(), tables.probability.copy(), sites.by_zone[(@merchant@, @zone@)]",
        "own = slice(int(tables.start[number]), int(tables.start[number + 1]))",
        change,
        "columns = (tables.start, chance, tables.alias, ids, zone)",
    )
    return (Edit(TABLES, SITE_COLUMNS, "".join(f"{' ' * 8}{line}\n" for line in lines)),)


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

ROUTES = (
    Fault(
        "coin: .343 instead of .35",
        "coin",
        "every hybrid arrival is virtual with a chance 2 % too small",
        edits=(
            Edit(
                TABLES,
                "            self._policy.p_virtual_hybrid,\n",
                "            0.98 * self._policy.p_virtual_hybrid,\n",
            ),
        ),
        world="demo",
    ),
    Fault(
        "coin: one merchant at .628",
        "coin",
        "one hybrid merchant is virtual with a chance of .628",
        edits=(
            Edit(
                ARRIVALS,
                "unit_open(coin) < inputs.p_virtual",
                "unit_open(coin) < (0.628 if @hybrid@ <= inputs.rows.series[row] < @hybrid_stop@ else inputs.p_virtual)",
            ),
        ),
    ),
    Fault(
        "coin: the other word",
        "streams",
        "the coin takes word 1, which picks the site",
        edits=(
            Edit(
                ARRIVALS,
                "coin, _ = draw_words(inputs.site_stream, row, j)",
                "_, coin = draw_words(inputs.site_stream, row, j)",
            ),
        ),
    ),
    Fault(
        "coin: once for a cell",
        "lazy",
        "one coin decides for all arrivals of a cell",
        edits=(
            Edit(
                ARRIVALS,
                "coin, _ = draw_words(inputs.site_stream, row, j)",
                "coin, _ = draw_words(inputs.site_stream, row, np.uint64(0))",
            ),
        ),
    ),
    Fault(
        "edges: uniform for a merchant",
        "weights",
        "the edges of one merchant are picked without regard to their weights",
        edits=(
            Edit(
                TABLES,
                EDGE_COLUMNS,
                "        chance, number = tables.probability.copy(), edges.by_merchant[@virtual@]\n"
                "        chance[int(tables.start[number]) : int(tables.start[number + 1])] = 1.0\n"
                "        columns = (tables.start, chance, tables.alias, edges.edge_id, zone, edges.is_busy)\n",
            ),
        ),
    ),
    Fault(
        "edges: numbered by draw",
        "streams",
        "the edge of a virtual arrival is drawn from its place among all arrivals of the cell",
        edits=(
            Edit(ROUTING, "inputs.chunk.virtual_before[q] - inputs.chunk.virtual_before[first_slot]", "q - first_slot"),
        ),
    ),
    Fault(
        "edges: the other word",
        "streams",
        "edges are picked by word 1",
        edits=(
            Edit(
                ROUTING,
                "word, _ = draw_words(inputs.edge_stream, row, k)",
                "_, word = draw_words(inputs.edge_stream, row, k)",
            ),
        ),
    ),
    Fault(
        "sites: rotated",
        "weights",
        "the sites of a merchant in a zone are exchanged in a ring",
        edits=_sites("ids[own] = np.roll(ids[own], 1)"),
    ),
    Fault(
        "sites: two exchanged",
        "weights",
        "two sites of a merchant in a zone take each other's arrivals",
        edits=_sites("ids[own][:2] = ids[own][:2][::-1].copy()"),
    ),
    Fault(
        "sites: uniform for a merchant",
        "weights",
        "the sites of a merchant in a zone are picked without regard to their weights",
        edits=_sites("chance[own] = 1.0"),
    ),
    Fault(
        "sites: the table's second column",
        "weights",
        "no pick ever takes the alias of its slot",
        edits=(Edit(ALIAS, "return slot if keep else np.int64(alias[start + slot])", "return slot"),),
    ),
    Fault(
        "sites: one for a cell",
        "lazy",
        "all arrivals of a cell are at one site",
        edits=(
            Edit(
                ROUTING,
                "word0, word1 = draw_words(inputs.site_stream, row, j)",
                "word0, word1 = draw_words(inputs.site_stream, row, np.uint64(0))",
            ),
        ),
    ),
    Fault(
        "sites: the coin's word",
        "streams",
        "the word of the coin picks the site too",
        edits=(Edit(ROUTING, "unit_open(word1)), zone", "unit_open(word0)), zone"),),
    ),
    Fault(
        "sites: the first arrival of a row group",
        "a first row",
        "the first arrival of each row group is at the site of the next one",
        edits=(
            Edit(
                PARTS,
                FILLED,
                f"{FILLED}                if out.site_id.size > 1 and out.site_id[0] and out.site_id[1]:\n"
                "                    same = out.merchant_id[0] == out.merchant_id[1] and out.zone_primary[0] == out.zone_primary[1]\n"
                "                    out.site_id[0] = out.site_id[int(same)]\n",
            ),
        ),
    ),
    Fault(
        "options: zones of the day before",
        "an edge case",
        "from the second day on, group weights are those of the day before",
        world="options",
        edits=(
            Edit(
                TABLES,
                "groups.by_day.get((merchant, epoch_day))",
                "groups.by_day.get((merchant, epoch_day - (day > 0)))",
            ),
        ),
    ),
    Fault(
        "options: the coin's rest",
        "streams",
        "after the coin the zone is picked by the same uniform, not by its rest",
        world="options",
        edits=(Edit(ROUTING, "u = (u - inputs.policy.p_virtual) / (1.0 - inputs.policy.p_virtual)", "u = u + 0.0"),),
    ),
    Fault(
        "options: tempered less",
        "coin",
        "an edge in a busy zone is drawn again with .9 of its chance",
        world="options",
        edits=(Edit(TABLES, "temper.redirect_p if temper.enabled", "0.9 * temper.redirect_p if temper.enabled"),),
    ),
    Fault(
        "options: a busy zone too few",
        "an edge case",
        "the last of the busiest zones is not tempered",
        world="options",
        edits=(Edit(EDGES, "tzid.encode()))[:top_k])", "tzid.encode()))[: top_k - 1])"),),
    ),
    Fault(
        "options: tempered by the coin",
        "streams",
        "the coin of tempering picks the new edge too",
        world="options",
        edits=(
            Edit(
                ROUTING,
                "pick_entry(inputs.edges, plain, unit_open(again))",
                "pick_entry(inputs.edges, plain, unit_open(coin) / inputs.policy.redirect_p)",
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
        "clocks: the second after a change",
        "an edge case",
        "an offset changes a second before its time",
        edits=(Edit(ROUTING, "second = ts_us // MICROSECONDS\n", "second = ts_us // MICROSECONDS + 1\n"),),
        world="demo",
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

TOLD = (
    Fault(
        "columns: another universe",
        "labels",
        "arrivals carry the hash of another edge universe",
        edits=(Edit(COLUMNS, "Constant(world.universe_hash)", "Constant(world.universe_hash[::-1])"),),
    ),
    Fault(
        "columns: intensity of the bucket before",
        "columns",
        "arrivals carry the intensity of the bucket before their own",
        world="options",
        edits=(
            Edit(
                PARTS,
                "realiser.grid.bucket_count + rows.bucket\n",
                "realiser.grid.bucket_count + np.maximum(rows.bucket - 1, 0)\n",
            ),
        ),
    ),
    Fault(
        "columns: the series' zone as group",
        "columns",
        "arrivals carry the zone of their series as tz group",
        world="options",
        edits=(
            Edit(
                ROUTING,
                "out.group_zone[np.uint64(i)] = group_zone",
                "out.group_zone[np.uint64(i)] = inputs.series.zone[series]",
            ),
        ),
    ),
    Fault(
        "summary: a part forgotten",
        "summary",
        "the virtual arrivals of hybrid merchants in the first part are summed as physical",
        edits=(
            Edit(
                S4,
                "        virtual.keep(HybridRows.of(maker.kept.side(part.number)))\n",
                "        if part.number:\n            virtual.keep(HybridRows.of(maker.kept.side(part.number)))\n",
            ),
        ),
    ),
    Fault(
        "anomalies: none",
        "anomalies",
        "series whose countries differ in class are not reported",
        edits=(Edit(S4, "expansion.anomalies + class_conflicts(work)", "expansion.anomalies"),),
        world="judged",
        quick=True,
    ),
    Fault(
        "anomalies: twice",
        "anomalies",
        "every anomaly is reported twice",
        edits=(
            Edit(
                S4, "expansion.anomalies + class_conflicts(work)", "(expansion.anomalies + class_conflicts(work)) * 2"
            ),
        ),
    ),
    Fault(
        "anomalies: milder",
        "anomalies",
        "anomalies say of themselves that they are nothing",
        edits=(
            Edit(SUMMARY, "[anomaly.message for anomaly in ordered]", '["nothing unusual" for anomaly in ordered]'),
        ),
    ),
    Fault(
        "trace: S4's counters",
        "evidence",
        "S4's trace tells no counters",
        edits=(
            Edit(
                ACCOUNTING,
                "                *self._span.get(family_id, (0, 0)),\n",
                "                0,\n                0,\n",
            ),
        ),
        world="judged",
        quick=True,
    ),
    Fault(
        "trace: a counter too far",
        "evidence",
        "S4's trace tells the counter after one block, however many were drawn",
        edits=(Edit(ACCOUNTING, "before, high + int(blocks[rows[1]])", "before, high + 1"),),
    ),
    Fault(
        "metadata: scenario",
        "metadata",
        "files say that they are of another scenario",
        edits=(Edit(CONTEXT, "scenario_id=scenario_id, **facts)", 'scenario_id=f"{scenario_id}x", **facts)'),),
    ),
)
