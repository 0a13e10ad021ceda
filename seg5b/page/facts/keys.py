"""Conservation: what S3 counted against what S4 wrote, key by key."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.page.facts.scene import Scene


@dataclass(frozen=True, slots=True)
class Keys:
    """``components``: series by number of country components; ``rows_s2``, ``rows_s3``, ``expected_rows`` rows of the
    states and series times buckets; ``repeated``: compared keys with several S3 rows; ``pairs``: (arrivals, count_N,
    keys) of the compared keys that hold anything; ``counted`` is the sum of count_N over all of S3."""

    components: tuple[tuple[int, int], ...]
    rows_s2: int
    rows_s3: int
    expected_rows: int
    repeated: int
    pairs: tuple[tuple[int, int, int], ...]
    counted: int

    @property
    def compared(self) -> int:
        """Keys compared."""
        return sum(keys for *_, keys in self.pairs)

    @property
    def unequal(self) -> int:
        """Compared keys whose arrivals are not as many as S3 counted."""
        return sum(keys for seen, counted, keys in self.pairs if seen != counted)

    def residuals(self) -> dict[int, int]:
        """Keys by arrivals minus count."""
        found: dict[int, int] = {}
        for seen, counted, keys in self.pairs:
            found[seen - counted] = found.get(seen - counted, 0) + keys
        return dict(sorted(found.items()))


_PAIRS = """
    CREATE OR REPLACE TABLE pairs AS
    SELECT arrivals::BIGINT AS arrivals, counted::BIGINT AS counted, s3_rows > 1 AS repeated, count(*) AS keys
    FROM (SELECT k, bucket, sum(arrivals) AS arrivals, sum(counted) AS counted, sum(s3_rows) AS s3_rows
          FROM (SELECT k, bucket, arrivals, 0 AS counted, 0 AS s3_rows FROM cells
                UNION ALL SELECT k, bucket, 0, counted, 1 FROM active WHERE counted > 0 AND compared)
          GROUP BY k, bucket)
    GROUP BY ALL"""


def measure_keys(scene: Scene) -> Keys:
    """Rows and counts of S2 and S3 against the arrivals of S4."""
    scene.run(_PAIRS)
    components = scene.rows("SELECT component_count, count(*) FROM series GROUP BY ALL ORDER BY ALL")
    pairs = scene.rows("SELECT arrivals, counted, sum(keys)::BIGINT FROM pairs GROUP BY ALL ORDER BY ALL")
    series = scene.number("SELECT count(*) FROM series")
    return Keys(
        components=tuple(components),
        rows_s2=scene.number("SELECT count(*) FROM intensity"),
        rows_s3=scene.number("SELECT count(*) FROM counts"),
        expected_rows=series * scene.buckets,
        repeated=scene.number("SELECT sum(keys) FROM pairs WHERE repeated"),
        pairs=tuple(pairs),
        counted=scene.number("SELECT sum(counted) FROM active"),
    )
