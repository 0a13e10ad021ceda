"""Faults in what S4 tells of arrivals: columns, summary, anomalies, trace, metadata."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

ROUTING, PARTS, SUMMARY = "kernels/seg5b_kernels/routing.py", "seg5b/expansion/parts.py", "seg5b/expansion/summary.py"
COLUMNS, ACCOUNTING, S4 = "seg5b/expansion/columns.py", "seg5b/expansion/accounting.py", "seg5b/states/s4_arrivals.py"
CONTEXT, ACCOUNTS = "seg5b/context.py", "kernels/seg5b_kernels/accounts.py"

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
                "TraceRow(family, part, before, after, drawn",
                "TraceRow(family, part, 0, 0, drawn",
            ),
        ),
        world="judged",
        quick=True,
    ),
    Fault(
        "trace: a counter too far",
        "evidence",
        "S4's trace tells the counter after one block, however many were drawn",
        edits=(Edit(ACCOUNTS, "blocks_drawn(inputs.account, family, last))", "np.uint64(1))"),),
    ),
    Fault(
        "metadata: scenario",
        "metadata",
        "files say that they are of another scenario",
        edits=(Edit(CONTEXT, '"scenario_id": scenario_id,', '"scenario_id": f"{scenario_id}x",'),),
    ),
)
