"""Faults in what S1 and S2 compute: grid, groups, latent paths, intensities."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

GRID, LATENT, PORTABLE = (
    "seg5b/states/s1_grid.py",
    "kernels/seg5b_kernels/latent.py",
    "kernels/seg5b_kernels/portable.py",
)
FACTORS, INTENSITIES = "seg5b/states/s2_latent/factors.py", "seg5b/states/s2_latent/intensities.py"
OF_LEVELS, PROFILE = "seg5b/states/s2_latent/levels.py", "seg5b/inputs/profile.py"
LGCP = "seg5b/policy/lgcp.py"
DRAWN = "    outputs = draw_paths(work, streams, sigma, length, (policy.min_factor, policy.max_factor))\n"
DERIVED = "    streams = [derive_stream(head, domain_key) for domain_key in domain_keys]\n"
MEANT = "                return self._launch(of_block, block, starts)\n"
REALISED = "values.realised[cells] = values.baseline[cells] * values.random[cells]"


def _then(change: str) -> tuple[Edit, ...]:
    """The factors [G, H] are changed once they are drawn."""
    return (Edit(FACTORS, DRAWN, f"{DRAWN}    {change}\n"),)


def _before(change: str) -> tuple[Edit, ...]:
    """Streams, sigma or length of the groups are changed before factors are drawn."""
    return (Edit(FACTORS, DRAWN, f"    {change}\n{DRAWN}"),)


def _bent(change: str, series: str = "@series@") -> tuple[Edit, ...]:
    """The intensities of a series are changed once they are computed, and with them what is realised."""
    lines = (
        "values = self._launch(of_block, block, starts)",
        f"if of_block.start <= {series} < of_block.stop:",
        f"    first = ({series} - of_block.start) * work.grid.bucket_count",
        "    cells = slice(first, first + work.grid.bucket_count)",
        f"    {change}",
        f"    {REALISED}",
        "return values",
    )
    return (Edit(INTENSITIES, MEANT, "".join(f"{' ' * 16}{line}\n" for line in lines)),)


FIELD = (
    Fault(
        "grid: weekdays from a Sunday",
        "grid",
        "the day of the week of every bucket is one too far",
        edits=(Edit(GRID, "(start // DAY_US + 3) % 7 + 1", "(start // DAY_US + 4) % 7 + 1"),),
    ),
    Fault(
        "grid: minutes of another clock",
        "grid",
        "minutes since midnight are those of a clock an hour ahead",
        edits=(Edit(GRID, "start % DAY_US // (60", "(start + DAY_US // 24) % DAY_US // (60"),),
        world="judged",
        quick=True,
    ),
    Fault(
        "grid: a label too many",
        "grid",
        "every bucket carries one more label than its scenario",
        edits=(Edit(GRID, "Constant(list(scenario.labels))", 'Constant([*scenario.labels, "QUIET"])'),),
    ),
    Fault(
        "groups: bytes the other way",
        "grouping",
        "the hash that spreads merchants over groups is read little-endian",
        edits=(Edit(GRID, '.digest()[:8], "big") % buckets', '.digest()[:8], "little") % buckets'),),
    ),
    Fault(
        "groups: the smaller class decides",
        "grouping",
        "of a series whose countries differ in class, the one with the smaller volume is taken",
        edits=(Edit(GRID, "key=lambda name: (-total[name], name)", "key=lambda name: (total[name], name)"),),
    ),
    Fault(
        "groups: hybrid counts as physical",
        "grouping",
        "hybrid merchants get the band of physical ones",
        edits=(Edit(GRID, '== "NON_VIRTUAL" else "virtual"', '!= "VIRTUAL_ONLY" else "virtual"'),),
    ),
    Fault(
        "field: last group takes the first one's stream",
        "a last group",
        "the path of the last group is drawn from the stream of the first",
        edits=(Edit(FACTORS, DERIVED, f"{DERIVED}    streams[-1] = streams[0]\n"),),
    ),
    Fault(
        "field: two groups share a stream",
        "streams",
        "a group in the middle is drawn from its neighbour's stream",
        edits=_before("for column in streams: column[@group@] = column[@group@ - 1]"),
    ),
    Fault(
        "field: a factor 2 % larger",
        "a factor",
        "the path of one group is 2 % higher than it was drawn",
        edits=_then("outputs.factor[@group@] *= 1.02"),
    ),
    Fault(
        "field: a bit of a factor",
        "memory",
        "one bit in the middle of one factor's fraction is turned before intensities are made",
        edits=_then("outputs.factor.view(np.uint64)[@group@, 100] ^= np.uint64(1 << 30)"),
    ),
    Fault(
        "field: the lowest bit of a factor",
        "memory",
        "the last bit of one factor is turned before intensities are made",
        edits=_then("outputs.factor.view(np.uint64)[@group@, 100] ^= np.uint64(1)"),
    ),
    Fault(
        "field: a path backwards",
        "a last group",
        "the path of the last group runs from the end of the horizon",
        edits=_then("outputs.factor[-1] = outputs.factor[-1, ::-1].copy()"),
    ),
    Fault(
        "field: second half from a cache",
        "lazy",
        "the second half of one group's path is its first half again",
        edits=_then("half = buckets // 2; outputs.factor[@group@, half : 2 * half] = outputs.factor[@group@, :half]"),
    ),
    Fault(
        "field: neighbours exchanged",
        "memory",
        "two neighbouring factors of one group are exchanged",
        edits=_then("outputs.factor[@group@, [50, 51]] = outputs.factor[@group@, [51, 50]]"),
    ),
    Fault(
        "field: sigma of one group",
        "policy",
        "one group is drawn with a sigma 5 % above that of the policy",
        edits=_before("sigma[@group@] *= 1.05"),
    ),
    Fault(
        "policy: sigma of a class",
        "policy",
        "whoever asks for the sigma of one class gets 10 % more, S5 too",
        edits=(
            Edit(
                LGCP,
                "        return min(max(product, self.sigma_bounds[0]), self.sigma_bounds[1])",
                "        product *= 1.1 if demand_class == @class@ else 1.0\n"
                "        return min(max(product, self.sigma_bounds[0]), self.sigma_bounds[1])",
            ),
        ),
        judged_by_the_same=True,
    ),
    Fault(
        "policy: bounds of sigma",
        "policy",
        "whoever asks for a sigma gets at most 0.3, S5 too",
        edits=(Edit(LGCP, "self.sigma_bounds[0]), self.sigma_bounds[1])", "self.sigma_bounds[0]), 0.3)"),),
        judged_by_the_same=True,
    ),
    Fault(
        "policy: bounds of the length",
        "policy",
        "whoever asks for a correlation length gets at most 20 buckets, S5 too",
        edits=(Edit(LGCP, "self.length_bounds[0]), self.length_bounds[1])", "self.length_bounds[0]), 20.0)"),),
        judged_by_the_same=True,
    ),
    Fault(
        "policy: clip of factors",
        "policy",
        "whoever asks for the least factor gets twice what the policy says, S5 too",
        edits=(Edit(LGCP, 'file.number("clipping.min_factor")', '2 * file.number("clipping.min_factor")'),),
        judged_by_the_same=True,
    ),
    Fault(
        "field: a path starts too calm",
        "an edge case",
        "the first bucket of every path has the deviation of an innovation",
        edits=(Edit(LATENT, "scale = sigma if t == 0 else innovation", "scale = innovation"),),
    ),
    Fault(
        "field: memory by a short series",
        "lazy",
        "the correlation from bucket to bucket is 1 - 1 / length instead of exp(-1 / length)",
        edits=(Edit(LATENT, "phi = exp(-1.0 / length)", "phi = 1.0 - 1.0 / length"),),
    ),
    Fault(
        "field: mean not corrected",
        "a factor",
        "factors are exp(Z) without the correction that makes their mean one",
        edits=(Edit(LATENT, "factor = exp(z - half_variance)", "factor = exp(z)"),),
    ),
    Fault(
        "field: the sine branch",
        "numbers",
        "Box-Muller takes the sine where the law takes the cosine",
        edits=(Edit(LATENT, "cos_turn(unit_open(word1))", "cos_turn(abs(unit_open(word1) - 0.25))"),),
    ),
    Fault(
        "numbers: products fused with sums",
        "compiler",
        "the compiler contracts a * b + c into one rounding where a path goes from bucket to bucket",
        edits=(
            Edit(
                LATENT,
                "        z = product(phi, z) + product(scale, standard_normal(word0, word1))\n",
                "        shock, split, part = product(scale, standard_normal(word0, word1)), 134217729.0 * phi, 134217729.0 * z\n"
                "        a, b, p = split - (split - phi), part - (part - z), phi * z\n"
                "        lost = ((a * b - p) + a * (z - b) + (phi - a) * b) + (phi - a) * (z - b)\n"
                "        total = p + shock\n"
                "        near = total - p\n"
                "        z = total + (((p - (total - near)) + (shock - near)) + lost)\n",
            ),
        ),
    ),
    Fault(
        "numbers: exp in single precision",
        "device",
        "exp is rounded to single precision",
        edits=(
            Edit(
                PORTABLE,
                "    return product(product(y, power_of_two(half)), power_of_two(np.int64(k) - half))",
                "    y = product(product(y, power_of_two(half)), power_of_two(np.int64(k) - half))\n"
                "    return np.float64(np.float32(y))",
            ),
        ),
    ),
    Fault(
        "numbers: a term of log is lost",
        "compiler",
        "the small part of ln 2 is optimised away in log",
        edits=(Edit(PORTABLE, "half_square + (even + odd)) + product(k, LN2_LO)", "half_square + (even + odd))"),),
    ),
    Fault(
        "surface: divided and multiplied",
        "compiler",
        "the sum over countries is divided by the seconds of an hour and multiplied again",
        edits=(
            Edit(
                LATENT,
                "    factor = inputs.factor[inputs.group[series], bucket]\n",
                "    target = target / 3600.0 * 3600.0\n    factor = inputs.factor[inputs.group[series], bucket]\n",
            ),
        ),
    ),
    Fault(
        "surface: bent",
        "a surface",
        "three neighbouring baselines of a series are bent by +e, -2e, +e: their sum and its moment stay",
        edits=_bent(
            "values.baseline[first + 100 : first + 103] += 0.02 * values.baseline[first + 101] * np.array([1, -2, 1])"
        ),
        world="judged",
        quick=True,
    ),
    Fault(
        "surface: a country left out",
        "a surface",
        "a series of several countries lacks a tenth of its baseline on one day",
        edits=_bent("values.baseline[first + 24 : first + 48] *= 0.9", "@several@"),
    ),
    Fault(
        "surface: in single precision",
        "device",
        "the baselines of a series of several countries are rounded to single precision",
        edits=_bent("values.baseline[cells] = values.baseline[cells].astype(np.float32)", "@several@"),
    ),
    Fault(
        "surface: a first row of a window",
        "a first row",
        "the first cell of every block that is computed has the baseline of the second",
        edits=_bent("values.baseline[first] = values.baseline[first + 1]", "of_block.start"),
    ),
)

LEVELS = (
    Fault(
        "levels: a series takes its neighbour's path",
        "streams",
        "the own path of one series is drawn from the stream of the series before it",
        "levels",
        (
            Edit(
                OF_LEVELS,
                "    shared = len(countries) + len(zones)\n",
                "    shared = len(countries) + len(zones)\n"
                "    for column in streams: column[shared + @series@] = column[shared + @series@ - 1]\n",
            ),
        ),
    ),
    Fault(
        "levels: a series in another country",
        "an edge case",
        "of several countries of a series the last in byte order gives it its path",
        "levels",
        (Edit(PROFILE, "country.encode() < known.encode()", "country.encode() > known.encode()"),),
    ),
    Fault(
        "levels: zones by their codes",
        "lazy",
        "one series shares the path of the first zone",
        "levels",
        (
            Edit(
                OF_LEVELS,
                "    shared = len(countries) + len(zones)\n",
                "    shared = len(countries) + len(zones)\n    zone[@series@] = 0\n",
            ),
        ),
    ),
    Fault(
        "levels: shares not rooted",
        "numbers",
        "the levels are weighted with shares of the variance instead of their roots",
        "levels",
        (Edit(OF_LEVELS, "tuple(map(math.sqrt, levels.shares))", "levels.shares"),),
    ),
    Fault(
        "levels: an own path starts too calm",
        "an edge case",
        "the first bucket of every own path has the deviation of an innovation",
        "levels",
        (Edit(LATENT, "scale = 1.0 if t == 0 else innovation", "scale = innovation"),),
    ),
    Fault(
        "levels: mean not corrected",
        "a factor",
        "factors are exp(sigma X) without the correction that makes their mean one",
        "levels",
        (Edit(LATENT, "exp(product(sigma, whole) - half_variance)", "exp(product(sigma, whole))"),),
    ),
)
"""Of ``log_gaussian_two_level_v1``."""
