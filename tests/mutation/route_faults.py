"""Faults in where arrivals land: coins, edges, sites, zones."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

ARRIVALS, ROUTING, ALIAS = (f"kernels/seg5b_kernels/{name}.py" for name in ("arrivals", "routing", "alias"))
TABLES, PARTS, EDGES = "seg5b/expansion/tables.py", "seg5b/expansion/parts.py", "seg5b/inputs/edges.py"
SITE_COLUMNS = "        columns = (tables.start, tables.probability, tables.alias, sites.site_id, zone)\n"
EDGE_COLUMNS = (
    "        columns = (tables.start, tables.probability, tables.alias, edges.edge_id, zone, edges.is_busy)\n"
)
FILLED = "                realised = realiser.realise(pass_first, pass_stop, out)\n"


def _sites(change: str) -> tuple[Edit, ...]:
    """``ids``, ``chance``: of all entries; ``own``: those of a busy merchant and zone."""
    lines = (
        "ids, chance, number = sites.site_id.copy(), tables.probability.copy(), sites.by_zone[(@merchant@, @zone@)]",
        "own = slice(int(tables.start[number]), int(tables.start[number + 1]))",
        change,
        "columns = (tables.start, chance, tables.alias, ids, zone)",
    )
    return (Edit(TABLES, SITE_COLUMNS, "".join(f"{' ' * 8}{line}\n" for line in lines)),)


ROUTES = (
    Fault(
        "coin: .343 instead of .35",
        "coin",
        "every hybrid arrival is virtual with a chance 2 % too small",
        edits=(
            Edit(
                TABLES,
                "coins_have_hours), of_channels.ravel())",
                "coins_have_hours), 0.98 * of_channels.ravel())",
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
                "unit_open(coin) < below",
                "unit_open(coin) < (0.628 if @hybrid@ <= inputs.rows.series[row] < @hybrid_stop@ else below)",
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
        edits=(Edit(ROUTING, "u = (u - p) / (1.0 - p)", "u = u + 0.0"),),
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
