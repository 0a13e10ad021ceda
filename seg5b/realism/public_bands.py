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

CARD_NOT_PRESENT_SHARE = (
    PublicBand(
        0.05, 0.40, "judgement",
        "the public band, down to what T7 admits of a world whose remote payments all have edges (0.05 to 0.08)",
    ),
    PublicBand(
        0.10, 0.40, "measured",
        "Federal Reserve Payments Study 2022 (US .36), BIS Red Book 2021 (Netherlands .18), Norges Bank 2018 (.12), Sveriges "
        "Riksbank 2023 (.24)",
    ),
)  # fmt: skip
"""Card-not-present payments among all, by number: B and B+."""
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

OWN_WEIGHTS = (
    PublicBand(0.0, 0.01, "judgement", "perfect draws are at 0; one arrival in a hundred elsewhere is harmless"),
    PublicBand(0.0, 0.005, "judgement", "perfect draws are at 0; one arrival in two hundred"),
)
"""Part of the arrivals that lies in other zones, or countries, than the world's own weights say, above chance: B and B+."""
LEAST_IN_PLACE, MOST_ERROR_OF_WEIGHTS = 25.0, 0.0025
"""Expected arrivals of a place that counts by itself; standard error from which down the distance is judged."""
SURE_TO_HAVE_ANY = 7.0
"""Standard deviations that a place must expect, and so at least 49 arrivals, for none at all to be a fault."""

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

_GROCERY = "Complete Journey (84.51), 155,848 baskets of 2017"
_ONLINE = "Olist 2016-2018 and Instacart 2017: counts that are widely repeated"
_TAXI = "New York taxis, 4,577 card rides of March 2019"
_CAFE = "a bakery's 9,531 and a coffee machine's 3,547 payments; Toast on restaurants"
_NONE = "no table"
NIGHT_SHARE = {
    "consumer_daytime": PublicBand(0.003, 0.05, "measured", _GROCERY),
    "evening_weekend": PublicBand(0.0, 0.06, "partly", _CAFE),
    "fuel_convenience": PublicBand(0.02, 0.12, "judgement", _NONE),
    "always_on_local": PublicBand(0.02, 0.12, "judgement", _NONE),
    "office_hours": PublicBand(0.0, 0.02, "judgement", _NONE),
    "bills_utilities": PublicBand(0.0, 0.02, "judgement", _NONE),
    "low_volume_tail": PublicBand(0.0, 0.02, "judgement", _NONE),
    "travel_hospitality": PublicBand(0.04, 0.15, "partly", _TAXI),
    "online_24h": PublicBand(0.015, 0.13, "partly", _ONLINE),
    "online_bursty": PublicBand(0.015, 0.13, "partly", _ONLINE),
}
"""Share of payments from 0 to 6 h of the local clock, by demand class: a site's clock, or an edge's."""
PEAK_TO_MEAN = {
    "consumer_daytime": PublicBand(1.8, 3.2, "measured", _GROCERY),
    "evening_weekend": PublicBand(2.0, 5.0, "partly", _CAFE),
    "travel_hospitality": PublicBand(1.4, 2.5, "partly", _TAXI),
    "online_24h": PublicBand(1.3, 2.2, "partly", _ONLINE),
    "online_bursty": PublicBand(1.3, 2.2, "partly", _ONLINE),
}
"""Busiest of 24 local hours over their mean; classes without a table have none."""
WEEKEND_SHARE = {
    "consumer_daytime": PublicBand(0.27, 0.37, "measured", f"{_GROCERY} (.32), 54 supermarkets in Ecuador"),
    "evening_weekend": PublicBand(
        0.28, 0.42, "measured", "Square 2024, restaurants and bars in the US: .35, .30 in 2019"
    ),
    "low_volume_tail": PublicBand(0.20, 0.42, "partly", "Paymark 2017: Saturday 10-17 h 18 % of a shop's week"),
    "office_hours": PublicBand(0.03, 0.22, "judgement", "Paymark 2017, trade services: weekdays"),
    "bills_utilities": PublicBand(0.03, 0.22, "judgement", "as services"),
    "travel_hospitality": PublicBand(0.24, 0.38, "partly", _TAXI),
    "fuel_convenience": PublicBand(0.24, 0.33, "judgement", "GasBuddy 2019: Friday the busiest day"),
    "online_24h": PublicBand(0.20, 0.30, "partly", f"{_ONLINE}; weekends the quietest days"),
    "online_bursty": PublicBand(0.20, 0.30, "partly", f"{_ONLINE}; weekends the quietest days"),
}
"""Share of Saturday and Sunday in whole weeks; of shops, where they open on Sundays."""
SHUT_ON_SUNDAYS = ("AT", "CH", "DE", "NO", "PL")
"""Countries whose shops are shut on most Sundays by law."""
SHOPS = ("consumer_daytime", "low_volume_tail")
SUNDAY_SHARE_WHERE_SHUT = PublicBand(
    0.0, 0.06, "judgement", "Mastercard Hungary 2015-2016: Sundays nearly gone; a rest for stations"
)
LEAST_FOR_NIGHT, LEAST_FOR_PEAK, LEAST_FOR_WEEKEND, LEAST_WEEKS = 2_000, 5_000, 2_000, 4

GROCERIES = ("consumer_daytime",)
ONLINE = ("online_24h", "online_bursty")
_STORES = "54 supermarkets in Ecuador and a chain in the US"
CHRISTMAS = PublicBand(0.0, 0.40, "partly", f"{_STORES}: closed; other shops judgement")
CHRISTMAS_ONLINE = PublicBand(0.30, 1.0, "judgement", _NONE)
BEFORE_CHRISTMAS = PublicBand(1.1, 2.2, "measured", f"{_STORES}: 1.06 to 2.09")
NEW_YEAR = PublicBand(0.05, 0.9, "partly", f"{_STORES}: .79 and closed")
HOLIDAY = PublicBand(0.3, 1.3, "judgement", "Thanksgiving .82 (US groceries)")
"""Payments of a day as a multiple of an ordinary day of its weekday."""
LEAST_EXPECTED_ON_DAY, LEAST_ORDINARY_DAYS = 1_000, 21

_DAILY = "54 supermarkets in Ecuador over two years, level of 57 days and weekday removed"
NOISE_FLOOR = PublicBand(0.002, 0.015, "measured", f"{_DAILY}: .0069, 90 % .004 to .010")
"""a of a site's daily CV^2 = a + b / mean, from sites of `LARGE_SITE` a day."""
NOISE_SLOPE = PublicBand(1.0, 4.0, "partly", "a bakery (58 a day) and a coffee machine (10 a day): 1.6 to 2.6")
"""b, from sites of `SMALL_SITE` a day."""
NOISE_OF_SERIES = PublicBand(0.0, 0.015, "judgement", "many sites together scatter no more than a large one")
"""a of a merchant's arrivals in a zone."""
TAYLOR = PublicBand(1.3, 2.0, "measured", f"{_DAILY}: 1.78")
"""Exponent of the residual variance of daily counts over their mean, across sites of `BUSY_SITE` a day."""
DAY_AFTER = PublicBand(0.1, 0.6, "measured", f"{_DAILY}: .37 to .49")
WEEK_AFTER = PublicBand(-0.1, 0.2, "measured", f"{_DAILY}: .02")
"""Autocorrelation of residuals after one day and after seven, of sites of `LARGE_SITE` a day."""
SAME_PLACE = PublicBand(0.05, 1.0, "partly", f"{_DAILY}: within two cities .12 and .16 above others")
"""Mean correlation of residuals of two sites of one zone above that of two zones, of sites of `BUSY_SITE` a day."""
SMALL_SITE, BUSY_SITE, LARGE_SITE = (5.0, 200.0), 200.0, 1_000.0
LEAST_SITES, LEAST_SITES_OF_ZONES, LEAST_DAYS, LEAST_DAYS_OF_MEMORY = 30, 20, 60, 200
