"""Some arrivals of every virtual mode, to be explained."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject


def arrivals_of_each_mode(subject: Subject, most: int) -> list[tuple[int, int]]:
    """(merchant_id, arrival_seq) of up to ``most`` arrivals of each mode, of different merchants where there are."""
    rows = subject.rows(
        f"""SELECT merchant_id, (n + 1) // 2 FROM (
                SELECT merchant_id, virtual_mode, sum(count_N)::BIGINT AS n,
                       row_number() OVER (PARTITION BY virtual_mode ORDER BY merchant_id) AS number
                FROM counts JOIN modes USING (merchant_id) GROUP BY merchant_id, virtual_mode HAVING n > 0)
            WHERE number <= {most} ORDER BY virtual_mode, merchant_id"""
    )
    return [(merchant, seq) for merchant, seq in rows]
