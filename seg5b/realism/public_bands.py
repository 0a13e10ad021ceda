"""Bands that public figures of card payments leave, for the gates that hold a run against them (docs/laws#public-gates).
They are wide on purpose: they reject nonsense, not another country.

How sure each is: ``measured`` from open data or figures read at their source, ``partly`` from few or secondary ones,
``judgement`` where no table was published, ``meaning`` where it follows from what the words mean.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicBand:
    """A closed band of a share or ratio, how sure it is, and where it comes from."""

    low: float
    high: float
    sure: str
    source: str

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


CARD_PRESENT, CARD_NOT_PRESENT = "card_present", "card_not_present"

CARD_NOT_PRESENT_SHARE = PublicBand(
    0.10, 0.40, "measured",
    "Federal Reserve Payments Study 2022 (US .36), BIS Red Book 2021 (Netherlands .18), Norges Bank 2018 (.12), Sveriges "
    "Riksbank 2023 (.24)",
)  # fmt: skip
"""Card-not-present payments among all, by number."""
CARD_NOT_PRESENT_AT_SITE = (
    PublicBand(0.0, 0.02, "meaning", "a remote payment reaches no shop; a rest for orders by mail and telephone"),
    PublicBand(0.0, 0.001, "meaning", "a remote payment reaches no shop"),
)
"""Card-not-present payments that carry a physical site: B and B+."""
CARD_PRESENT_VIRTUAL = PublicBand(0.0, 0.0, "meaning", "a card that is present is in a shop")
"""Card-present payments that are virtual."""
LEAST_CHANNEL_ARRIVALS = 10_000
STEP = PublicBand(
    0.0, 0.05, "measured",
    "Complete Journey, 155,848 baskets of 2017: log step at full hours -.017 +- .014, and no scatter beyond chance",
)  # fmt: skip
"""Root mean square of the log step of the rate at boundaries of buckets."""
LEAST_BESIDE_STEPS = 5_000
"""Arrivals in the five minutes on either side of all boundaries together."""

COUNTRY_SCATTER = PublicBand(
    0.0, 0.5, "measured", "card payments by country, config/worlds/public/countries.csv: each figure with its source"
)
"""Standard deviation of the log ratio of a country's payments to its card payments of a year."""
COUNTRY_RANKS = PublicBand(0.8, 1.0, "measured", "as COUNTRY_SCATTER")
"""Rank correlation of the two."""
LEAST_COUNTRIES, LEAST_IN_COUNTRY = 15, 1_000

_CONCENTRATION = (
    "firm sizes fall off as Pareto 1.06 to 1.2 (Axtell 2001): the ninth decile of the largest of so many; no table"
)
LARGEST_MERCHANT = {
    100: PublicBand(0.0, 0.35, "partly", _CONCENTRATION),
    1_000: PublicBand(0.0, 0.25, "partly", _CONCENTRATION),
}
"""Share of the largest merchant of a city, by the least number of merchants there."""
LEAST_IN_CITY = 3_000

_LANES = "judgement from lanes and minutes"
SITE_HOUR = {
    "consumer_daytime": PublicBand(
        0, 1_200, "partly", "54 supermarkets of five years: at most 8,359 a day, a tenth of it in the busiest hour"
    ),
    "evening_weekend": PublicBand(0, 200, "judgement", f"restaurants: {_LANES}"),
    "fuel_convenience": PublicBand(0, 300, "judgement", f"fuel: {_LANES}"),
    "always_on_local": PublicBand(0, 250, "judgement", f"corner shops: {_LANES}"),
    **dict.fromkeys(
        ("office_hours", "bills_utilities", "travel_hospitality", "online_24h", "online_bursty", "low_volume_tail"),
        PublicBand(0, 400, "judgement", f"retail: {_LANES}"),
    ),
}
"""Payments that a site can take in an hour, by demand class."""
