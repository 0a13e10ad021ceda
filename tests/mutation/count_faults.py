"""Faults in the names of streams, in random words, and in what S3 draws from them."""

from __future__ import annotations

from tests.mutation.records import Edit, Fault

COUNTING, COUNTS = "seg5b/states/s3_counts/counting.py", "kernels/seg5b_kernels/counts.py"
DERIVATION, MESSAGES = "kernels/seg5b_kernels/derivation.py", "seg5b/rng/messages.py"
PHILOX, UNIFORM, POLICY = "kernels/seg5b_kernels/philox.py", "kernels/seg5b_kernels/uniform.py", "seg5b/policy/count.py"
DRAWN = "        count, capped = found.count, found.capped\n"
MEANS = '            source.templates,\n            array(block.columns, "lambda_realised"),\n'
KAPPA = "        self._kappa_there = work.backend.upload(self._kappa)\n"


def _then(*lines: str) -> tuple[Edit, ...]:
    """The counts of a block are changed once they are drawn; S4 realises what it finds, so that everything agrees."""
    return (Edit(COUNTING, DRAWN, DRAWN + "".join(f"{' ' * 8}{line}\n" for line in ("count = count.copy()", *lines))),)


def _of_cell(change: str) -> tuple[Edit, ...]:
    return _then("at = @cell@ - block.first", "if 0 <= at < count.size - 1:", f"    {change}")


def _of_series(change: str, series: str = "(@series@,)") -> tuple[Edit, ...]:
    """``own``: the counts of a series over the horizon."""
    return _then(
        f"for series in {series}:",
        "    at = series * @buckets@ - block.first",
        "    if 0 <= at <= count.size - @buckets@:",
        "        own = count[at : at + @buckets@]",
        f"        {change}",
    )


def _means(by: str) -> tuple[Edit, ...]:
    """Counts are drawn with other means than are published. ``series`` int64 [rows]: the series of each."""
    new = MEANS.replace('array(block.columns, "lambda_realised")', f'array(block.columns, "lambda_realised") * {by}')
    return (Edit(COUNTING, MEANS, new),)


SERIES = "((block.first + np.arange(block.rows)) // buckets == @series@)"

STREAMS = (
    Fault(
        "streams: bucket 100 loses a digit",
        "an edge of a name",
        "from bucket 101 on an index is written with three digits, 100 with two",
        edits=(Edit(DERIVATION, "(number > 99)", "(number > 100)"),),
    ),
    Fault(
        "streams: bucket 10 loses a digit, in S4 alone",
        "an edge of a name",
        "the streams of arrivals in bucket 10 are named with one digit",
        edits=(
            Edit(
                DERIVATION,
                "inputs.digits_max + digits - 1\n",
                "inputs.digits_max + digits - 1 - (inputs.bucket[i] == 10)\n",
            ),
        ),
    ),
    Fault(
        "streams: bucket 100 loses a digit, in S3 alone",
        "an edge of a name",
        "the streams of counts in bucket 100 are named by the template of two digits",
        edits=(Edit(COUNTS, "inputs.digits_max + digits - 1\n", "inputs.digits_max + digits - 1 - (bucket == 100)\n"),),
    ),
    Fault(
        "streams: the scenario is left out",
        "streams",
        "the message that names a stream says no scenario, so that two scenarios share their streams",
        world="tiny",
        edits=(Edit(MESSAGES, "+ uer(scenario_id)", '+ uer("")'),),
    ),
    Fault(
        "streams: another seed",
        "streams",
        "every stream is drawn for the seed after the run's own",
        edits=(Edit(MESSAGES, 'identity.seed.to_bytes(8, "little")', '(identity.seed + 1).to_bytes(8, "little")'),),
    ),
    Fault(
        "streams: the seed's bytes the other way",
        "streams",
        "the seed enters the message big-endian",
        edits=(Edit(MESSAGES, 'identity.seed.to_bytes(8, "little")', 'identity.seed.to_bytes(8, "big")'),),
    ),
    Fault(
        "streams: nine rounds",
        "device",
        "Philox does nine rounds instead of ten",
        edits=(Edit(PHILOX, "ROUNDS = 10", "ROUNDS = 9"),),
    ),
    Fault(
        "streams: the carry into the high word",
        "device",
        "the high word of a product lacks its lowest bit",
        edits=(
            Edit(
                PHILOX,
                "high = np.uint64(mul_high(MULTIPLIER, x0))",
                "high = np.uint64(mul_high(MULTIPLIER, x0)) & np.uint64(0xFFFFFFFFFFFFFFFE)",
            ),
        ),
    ),
    Fault(
        "uniforms: 32 bits",
        "lazy",
        "uniforms are made from the upper half of a word",
        edits=(
            Edit(
                UNIFORM,
                "np.float64(np.uint64(word)) + 0.5, TWO_TO_MINUS_64",
                "np.float64(np.uint64(word) >> np.uint64(32)) + 0.5, 2.0**-32",
            ),
        ),
    ),
    Fault(
        "uniforms: in single precision",
        "device",
        "uniforms are rounded to single precision",
        edits=(
            Edit(
                UNIFORM, "return min(u, LARGEST_BELOW_ONE)", "return min(np.float64(np.float32(u)), LARGEST_BELOW_ONE)"
            ),
        ),
    ),
)

COUNTED = (
    Fault(
        "counts: one more",
        "a count",
        "a busy cell has one arrival more; arrivals, summary and totals follow",
        edits=_of_cell("count[at] += 1"),
        world="judged",
        quick=True,
    ),
    Fault(
        "counts: one moved",
        "a count",
        "one arrival of a busy cell is counted in the bucket after it",
        edits=_of_cell("count[at : at + 2] += np.array([-1, 1])"),
    ),
    Fault("counts: a bit", "memory", "a bit of a busy cell's count is turned", edits=_of_cell("count[at] ^= 4")),
    Fault(
        "counts: two days exchanged",
        "a time",
        "a series has the counts of its second day on the third and those of the third on the second",
        edits=_of_series("own[24:72] = np.concatenate([own[48:72], own[24:48]])"),
    ),
    Fault(
        "counts: an hour late",
        "a time",
        "all counts of a merchant come a bucket late",
        edits=_of_series("own[:] = np.concatenate([[0], own[:-1]])", "range(@first@, @stop@)"),
    ),
    Fault(
        "counts: second week from a cache",
        "lazy",
        "a series has its counts of the first week again in the second",
        edits=_of_series("own[168:336] = own[:168]"),
    ),
    Fault("counts: even numbers", "lazy", "all counts of a series are even", edits=_of_series("own -= own % 2")),
    Fault(
        "counts: another zone's",
        "memory",
        "two series of one merchant in two zones have each other's counts",
        edits=_then(
            "one, other = (slice((s * @buckets@) - block.first, ((s + 1) * @buckets@) - block.first) for s in (@twin@, @other@))",
            "if min(one.start, other.start) >= 0 and max(one.stop, other.stop) <= count.size:",
            "    count[one], count[other] = count[other].copy(), count[one].copy()",
        ),
    ),
    Fault(
        "counts: rows exchanged across a bucket",
        "memory",
        "a busy cell and the one after it have each other's counts",
        edits=_of_cell(
            "count[at : at + 2] = count[at : at + 2][::-1].copy() + np.array([0, int(count[at] == count[at + 1])])"
        ),
    ),
    Fault(
        "counts: mean of a series 2 % larger",
        "a mean",
        "one series is counted with 1.02 times its mean",
        edits=_means(f"(1 + 0.02 * {SERIES})"),
    ),
    Fault(
        "counts: all means 0.3 % larger",
        "a mean",
        "every cell is counted with 1.003 times its mean",
        edits=_means("1.003"),
        world="demo",
    ),
    Fault(
        "counts: a busy series without dispersion",
        "dispersion",
        "the busiest series is counted with a kappa of 200, and published with its own",
        edits=(
            Edit(
                COUNTING,
                KAPPA,
                KAPPA.replace("self._kappa)", "np.where(np.arange(self._kappa.size) == @series@, 200.0, self._kappa))"),
            ),
        ),
    ),
    Fault(
        "counts: kappa 10 % larger",
        "dispersion",
        "every cell is counted with 1.1 times its kappa",
        edits=(Edit(COUNTING, KAPPA, KAPPA.replace("(self._kappa)", "(1.1 * self._kappa)")),),
    ),
    Fault(
        "policy: kappa of a class",
        "policy",
        "whoever asks for the kappa of one class gets 10 % more, S5 too",
        edits=(
            Edit(
                POLICY,
                "        return min(max(product, self.kappa_bounds[0]), self.kappa_bounds[1])",
                "        product *= 1.1 if demand_class == @class@ else 1.0\n"
                "        return min(max(product, self.kappa_bounds[0]), self.kappa_bounds[1])",
            ),
        ),
        judged_by_the_same=True,
    ),
    Fault(
        "policy: bounds of kappa",
        "policy",
        "whoever asks for a kappa gets at most 28, S5 too",
        edits=(Edit(POLICY, "self.kappa_bounds[0]), self.kappa_bounds[1])", "self.kappa_bounds[0]), 28.0)"),),
        judged_by_the_same=True,
    ),
    Fault(
        "policy: where the normal form begins",
        "policy",
        "whoever asks from which mean on the normal form serves gets 40 instead of 50, S5 too",
        edits=(
            Edit(
                POLICY,
                'file.number("poisson_sampler.poisson_exact_lambda_max")',
                '0.8 * file.number("poisson_sampler.poisson_exact_lambda_max")',
            ),
        ),
        judged_by_the_same=True,
    ),
    Fault(
        "counts: the normal form begins too early",
        "a branch",
        "means from 45 on are counted by the normal form, not from 50 on",
        edits=(
            Edit(
                COUNTING,
                "        policy.poisson_exact_lambda_max,\n",
                "        0.9 * policy.poisson_exact_lambda_max,\n",
            ),
        ),
    ),
    Fault(
        "counts: small means draw nothing",
        "lazy",
        "cells with a mean below 0.02 are given no arrivals",
        edits=(Edit(COUNTING, "        policy.lambda_zero_eps,\n", "        0.02,\n"),),
    ),
    Fault(
        "counts: cut at 100",
        "a branch",
        "no count is above 100",
        edits=(Edit(COUNTING, "        policy.max_count_per_bucket,\n", "        100,\n"),),
    ),
    Fault(
        "counts: the last series of a block",
        "a last row",
        "the last series of every block draws from the streams of the one before it",
        edits=(
            Edit(
                COUNTING,
                "series, buckets = range(first, last + 1), self",
                "series, buckets = [*range(first, last), max(last - 1, first)], self",
            ),
        ),
    ),
    Fault(
        "counts: rounded down",
        "a branch",
        "the normal form cuts where it should round",
        edits=(Edit(COUNTS, "normal_quantile(u)) + 0.5\n", "normal_quantile(u))\n"),),
    ),
    Fault(
        "counts: one word for both draws",
        "streams",
        "mixed mean and count are drawn from the same word",
        edits=(Edit(COUNTS, "u = unit_open(word1)", "u = unit_open(word0)"),),
    ),
    Fault(
        "counts: words in the other order",
        "streams",
        "the mixed mean takes word 1 and the count word 0: lawful numbers, but not these",
        edits=(
            Edit(
                COUNTS,
                "drawn = drawn_count(mean, kappa, inputs.law, word0, word1)",
                "drawn = drawn_count(mean, kappa, inputs.law, word1, word0)",
            ),
        ),
    ),
    Fault(
        "counts: mixed mean not corrected",
        "a mean",
        "the mixed mean lacks the correction that keeps its mean",
        edits=(Edit(COUNTS, "location = log(mu) - product(0.5, variance)", "location = log(mu)"),),
    ),
    Fault(
        "trace: S3's last counter",
        "evidence",
        "S3 tells the counter before its last event instead of the one after it",
        edits=(Edit(COUNTING, "self._counter(sums.last_event) + 1\n", "self._counter(sums.last_event)\n"),),
    ),
)
