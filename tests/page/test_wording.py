"""Numbers in words, one sentence about several scenarios, and markup."""

from __future__ import annotations

from datetime import date

from seg5b.page.facts.verdict import plain_text
from seg5b.page.figure import data_script
from seg5b.page.markup import element
from seg5b.page.wording import counted, day_number, each, iso_day, percent, rounded


def test_numbers() -> None:
    assert [counted(1, "key"), counted(0, "key"), counted(2000, "series", "series")] == [
        "1 key",
        "0 keys",
        "2,000 series",
    ]
    assert [percent(0.5), percent(0.28571, 2)] == ["50.0%", "28.57%"]
    assert iso_day(day_number(date(2026, 3, 2))) == "2026-03-02"
    assert [rounded(1 / 3), rounded(float("nan")), rounded(float("inf"))] == [0.333333, None, None]
    assert plain_text([0.25, None, True]) == "[0.25, –, yes]"


def test_what_all_scenarios_say_is_said_once() -> None:
    assert each([("a", "5%"), ("b", "5%")]) == "5%"
    assert each([("a", "5%"), ("b", "6%")]) == "5% (a), 6% (b)"
    assert each([(name, name) for name in "abcde"]) == "a (a), b (b), c (c) and 2 more"
    assert each([]) == ""


def test_markup_is_escaped() -> None:
    assert element("th", "a", class_="b", data_name='"<&') == '<th class="b" data-name=\'"&lt;&amp;\'>a</th>'
    assert element("i", hidden=None, checked=True) == '<i checked="true"/>'
    assert "</script>" not in data_script("x", ["</script>"]).removesuffix("</script>")
