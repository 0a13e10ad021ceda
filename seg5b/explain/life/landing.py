"""Where it landed: at a site, or virtual, on an edge; and why in this zone."""

from __future__ import annotations

from collections import defaultdict

from seg5b.explain.facts import busy_zones
from seg5b.explain.life.shares import weights_table
from seg5b.explain.life.subject import ArrivalStory, sealed_record
from seg5b.explain.life.words import country, percent, several
from seg5b.query import literal, parquet
from seg5b.run_tables.subject import Subject
from seg5b.runs.cities import named_cities, nearest_city
from seg5b.sheets import Section, Table
from seg5b.twin.merchants import Edge, Site

_TITLE = "Where it landed, and why there"
_ALIAS = (
    "The weights cut the line from 0 to 1 into stretches, those of one entry together as long as its share; the table gives "
    "the one that u fell into, of other entries the longest."
)


def told_landing(story: ArrivalStory) -> Section:
    """The route: coin, zone, site or edge, settlement (law L7)."""
    sentences = [_coin(story)]
    if story.is_virtual:
        sentences += _edge(story)
        return Section(_TITLE, tuple(sentences), tuple(_edge_tables(story)))
    zone, tables = _zone(story)
    found, site_table = _site(story)
    return Section(_TITLE, (*sentences, *zone, *found), (*tables, site_table))


def _coin(story: ArrivalStory) -> str:
    """Why it is virtual, or not."""
    mode = story.merchant.mode
    coin = story.derived.notes.get("hybrid_coin")
    if coin:
        u, limit = float(coin["u"]), float(coin["virtual_below"])
        sign, word = ("below", "virtual") if u < limit else ("not below", "at a site")
        hour = coin.get("local_hour")
        when = "" if hour is None else f" between {hour:02d}:00 and {hour + 1:02d}:00 in {story.bucket.zone}"
        return (
            f"The merchant sells both at sites and virtually ({mode}), and each arrival tosses a coin: u = {u:.6f} is {sign} "
            f"{limit:g}, the share that is virtual{when}, so this one is {word}."
        )
    named = ("decision_reason", "rule_id")
    reason = sealed_record(story.subject, "virtual_classification_3B", named, _of(story))
    why = f" ({reason['decision_reason']}, rule {reason['rule_id']})" if reason else ""
    if mode == "VIRTUAL_ONLY":
        return f"Segment 3B classed the merchant as {mode}{why}: each of its arrivals is virtual, and lands on an edge."
    return f"Segment 3B classed the merchant as {mode}{why}: each of its arrivals is at one of its sites."


def _of(story: ArrivalStory) -> str:
    return f"merchant_id = {story.merchant.merchant_id}"


def _zone(story: ArrivalStory) -> tuple[list[str], list[Table]]:
    """Why a physical arrival is in its zone."""
    counted, zone = story.bucket.zone, str(story.derived.notes["tz_group"])
    pick = story.derived.picks.get("tz_group")
    if pick is None and story.subject.policies.readings.tz_group_law != "zone_pinned_v1":
        return [f"Its zone is {zone}, where it was counted: its merchant has no weights of zones on that UTC day."], []
    if pick is None:
        told = (
            f"Its zone is {zone}, because it was counted there (law zone_pinned_v1): the merchant's expected arrivals are "
            "given zone by zone, each by its own local clock, and an arrival stays where it was counted."
        )
        return [told], _mix(story, "The merchant's expected arrivals a week, by zone")
    groups = story.merchant.groups[story.bucket.start_us // 86_400_000_000]
    names, weights = [(tzid,) for tzid, _ in groups], [weight for _, weight in groups]
    rest = " (what the coin left of it)" if story.merchant.mode == "HYBRID" else ""
    told = (
        f"It was counted in {counted}, but its zone is drawn again (tz_group_law) from the weights of that UTC day: "
        f"u = {pick.u:.6f}{rest} picks {zone}."
    )
    return [told], [weights_table("Weights of the merchant's zones on that day", ("zone",), names, weights, pick)]


def _mix(story: ArrivalStory, caption: str) -> list[Table]:
    """The merchant's zones by expected volume; none where upstream does not say it."""
    subject = story.subject
    source = parquet(subject.sealed_files("merchant_zone_profile_5A"))
    if "weekly_volume_expected" not in {row[0] for row in subject.rows(f"DESCRIBE SELECT * FROM {source}")}:
        return []
    volumes: dict[str, float] = defaultdict(float)
    for tzid, volume in subject.rows(f"SELECT tzid, weekly_volume_expected::DOUBLE FROM {source} WHERE {_of(story)}"):
        volumes[tzid] += volume or 0.0
    names = sorted(tzid for tzid, volume in volumes.items() if volume > 0 or tzid == story.bucket.zone)
    if story.bucket.zone not in names:
        return []
    chosen, weights = names.index(story.bucket.zone), [volumes[name] for name in names]
    named = [(name, f"{volumes[name]:,.1f}") for name in names]
    return [weights_table(caption, ("zone", "a week"), named, weights, None, chosen=chosen)]


def _site(story: ArrivalStory) -> tuple[list[str], Table]:
    pick, notes = story.derived.picks["site"], story.derived.notes
    group, site = str(notes["tz_group"]), Site(**notes["site"])
    own = [each for each in story.merchant.sites if each.tzid == group]
    told = []
    if not own:
        own = list(story.merchant.sites)
        told.append(f"The merchant has no site in {group}: all its sites stand in (on_missing_site_table).")
    chosen = own[pick.entry]
    if not chosen.country:
        made_up = str(chosen.site_id(story.merchant.merchant_id))
        told.append(
            f"The merchant has no site at all: {made_up} was made up for it in {group} (on_missing_site_table)."
        )
        return told, weights_table(f"Sites in {group}", ("site_id",), [(made_up,)], [1.0], pick)
    place = _site_place(story.subject, story.merchant.merchant_id, site)
    told.append(
        f"Of the merchant's {several(len(own), 'site')} there, u = {pick.u:.6f} picks site "
        f"{chosen.site_id(story.merchant.merchant_id)}{place}: number {chosen.order} in {country(chosen.country)}, "
        f"{percent(chosen.weight / sum(each.weight for each in own))} of their weight. {_ALIAS}"
    )
    names = [(str(each.site_id(story.merchant.merchant_id)), each.country, str(each.order)) for each in own]
    columns = ("site_id", "country", "site_order")
    return told, weights_table(f"Sites in {group}", columns, names, [each.weight for each in own], pick)


def _site_place(subject: Subject, merchant_id: int, site: Site) -> str:
    where = f"""merchant_id = {merchant_id} AND legal_country_iso = {literal(site.country)}
                AND site_order = {site.order}"""
    return _place(subject, site.tzid, sealed_record(subject, "site_locations", ("lat_deg", "lon_deg"), where))


def _place(subject: Subject, tzid: str, found: dict[str, float]) -> str:
    """The nearest city that the world names, and degrees; empty where they are not known."""
    if not found or found["lat_deg"] is None or found["lon_deg"] is None:
        return ""
    north, east = float(found["lat_deg"]), float(found["lon_deg"])
    city = nearest_city(named_cities(subject.root).get(tzid, ()), north, east)
    degrees = f"{abs(north):.2f}° {'S' if north < 0 else 'N'}, {abs(east):.2f}° {'W' if east < 0 else 'E'}"
    return f", near {city} ({degrees})" if city else f" ({degrees})"


def _edge(story: ArrivalStory) -> list[str]:
    """Which edge, and what it has to do with the other zones."""
    notes, pick = story.derived.notes, story.derived.picks["edge"]
    edges, edge = story.merchant.edges, Edge(**notes["edge"])
    first = edges[pick.entry]
    place = f"merchant_id = {story.merchant.merchant_id} AND edge_id = {literal(edge.edge_id)}"
    found = sealed_record(story.subject, "edge_catalogue_3B", ("country_iso", "lat_deg", "lon_deg"), place)
    there = f" in {country(str(found['country_iso']))}" if found else ""
    told = [f"An edge is where a virtual payment enters the network. Of the merchant's {several(len(edges), 'edge')}, u = "
            f"{pick.u:.6f} picks edge {int(first.edge_id, 16)} (edge_hex {first.edge_id} in 3B's edge catalogue), in zone "
            f"{first.tzid}. {_ALIAS}"]  # fmt: skip
    told += _tempered(story, first, edge)
    told.append(
        f"So its operational clock is that of {edge.tzid}: the edge lies{there}{_place(story.subject, edge.tzid, found)}. "
        f"{_primary(story)}"
    )
    told.append(
        f"{story.bucket.zone} is only where it was counted: the merchant's demand is expected by the local clock there."
    )
    return [*told, _settlement(story)]


def _tempered(story: ArrivalStory, first: Edge, edge: Edge) -> list[str]:
    if "temper" not in story.derived.draws:
        return []
    draw, read = story.derived.draws["temper"], story.subject.policies.readings
    busy = (
        f"{first.tzid} is one of the {len(busy_zones(story.subject))} busiest zones, from which a share of "
        f"{read.temper_p:g}"
    )
    if "edge_again" not in story.derived.picks:
        return [f"{busy} is led elsewhere; u = {draw.u0:.6f} lets it stay."]
    again = f"edge {int(edge.edge_id, 16)} (edge_hex {edge.edge_id}) in {edge.tzid}"
    return [
        f"{busy} is led elsewhere; u = {draw.u0:.6f} is below that, and a second uniform, {draw.u1:.6f}, picks {again}."
    ]


def _primary(story: ArrivalStory) -> str:
    law = story.subject.policies.readings.primary_clock
    if law == "settlement":
        return "Its primary clock is that of the settlement zone (policy primary_clock: settlement)."
    return "Its primary clock is the same (policy primary_clock: operational)."


def _settlement(story: ArrivalStory) -> str:
    zone = story.zone_of("settlement")
    if story.merchant.settlement is None:
        return f"Segment 3B names no settlement zone for the merchant, so it settles in the zone of the edge, {zone}."
    of = sealed_record(story.subject, "virtual_settlement_3B", ("lat_deg", "lon_deg"), _of(story))
    place = _place(story.subject, zone, of)
    if zone == story.zone_of("operational"):
        return f"It settles in {zone}, where segment 3B places the merchant's books{place}: here the same zone as the edge's."
    return (
        f"It settles in {zone}, whatever the edge: segment 3B places the merchant's books there{place}, and all its virtual "
        "arrivals are booked by that clock."
    )


def _edge_tables(story: ArrivalStory) -> list[Table]:
    edges, pick = story.merchant.edges, story.derived.picks["edge"]
    names, columns = [(str(int(edge.edge_id, 16)), edge.tzid) for edge in edges], ("edge_id", "zone")
    weights = [edge.weight for edge in edges]
    found = [weights_table("The merchant's edges", columns, names, weights, pick, story.merchant.edge_table)]
    again = story.derived.picks.get("edge_again")
    if again:
        busy = busy_zones(story.subject)
        plain = [place for place, edge in enumerate(edges) if edge.tzid not in busy and edge.weight > 0.0]
        chosen, left = [names[place] for place in plain], [weights[place] for place in plain]
        found.append(weights_table("Those outside the busiest zones", columns, chosen, left, again))
    return found + _mix(story, "Where its demand is expected: arrivals a week, by zone")
