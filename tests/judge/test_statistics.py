"""Fractions, intervals and tests against closed forms and brute force."""

from __future__ import annotations

import math
import random
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kl_derail.judge.statistics import (
    PairScores,
    bootstrap,
    clusters,
    effective_pairs,
    first_shown,
    holm,
    order_disagreement,
    pair_scores,
    repeat_agreement,
    score_test,
    sign_test,
    wilson,
    wilson_bounds,
)
from kl_derail.plumbing import statistics as plumbing
from tests.judge.judgements import ALWAYS_FIRST, answers, judgement

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40)
P_VALUES = st.lists(st.floats(0, 1), max_size=6)


def scored(scores: list[float] | np.ndarray) -> PairScores:
    """Pairs that share no transcript."""
    numbers = [("", pair) for pair in range(len(scores))]
    return PairScores(np.array(scores, float), np.arange(len(scores)), numbers)


def test_a_pair_is_the_mean_of_its_orders_and_an_order_of_its_repeats() -> None:
    asked = [judgement(0, verdict, repeat=place) for place, verdict in enumerate("aab?")]
    asked += [judgement(0, "t", swapped=True), judgement(1, "b"), judgement(2, "?")]
    found = pair_scores(asked)
    assert found.numbers == [("A vs B", 0), ("A vs B", 1)]
    assert found.scores == pytest.approx([(2 / 3 + 1 / 2) / 2, 0.0])
    assert pair_scores([judgement(0, "a", swapped=True)], first_shown).scores.tolist() == [0.0]


def test_the_order_of_the_answers_does_not_matter() -> None:
    asked = answers(["aa", "ab", "bt", "?a", "bb"] * 4)
    shuffled = random.Random(0).sample(asked, len(asked))
    first, second = pair_scores(asked), pair_scores(shuffled)
    assert first.scores.tolist() == second.scores.tolist()
    assert first.clusters.tolist() == second.clusters.tolist()
    assert bootstrap(first, seed=1) == bootstrap(second, seed=1)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 19)), max_size=15))
def test_clusters_are_what_shared_transcripts_connect(edges: list[tuple[int, int]]) -> None:
    groups: list[set[int]] = []
    for edge in edges:
        touched = [group for group in groups if group & set(edge)]
        groups = [group for group in groups if group not in touched] + [set(edge).union(*touched)]
    found = clusters([(str(a), str(b)) for a, b in edges])
    for (one, first), (two, second) in combinations(zip(edges, found, strict=True), 2):
        together = any(one[0] in group and two[0] in group for group in groups)
        assert (first == second) == together
    assert sorted(set(found.tolist())) == list(range(len(groups)))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_pair_that_was_won_or_lost_is_one_toss(won: list[bool]) -> None:
    pairs = scored(np.array(won, float))
    assert effective_pairs(pairs.won, pairs.asked) == pytest.approx(len(won))
    plain = plumbing.wilson(sum(won), len(won))
    assert wilson(pairs) == pytest.approx(plain, abs=1e-9)


@given(SCORES)
def test_worth_of_pairs_by_brute_force(scores: list[float]) -> None:
    more = [*scores, 0.0, 1.0]
    p = sum(more) / len(more)
    variance = sum((each - p) ** 2 for each in more) / len(more)
    pairs = scored(scores)
    found = effective_pairs(pairs.won, pairs.asked)
    assert found == pytest.approx(len(scores) * p * (1 - p) / variance)
    assert found >= len(scores) - 1e-9
    rows = np.stack([pairs.won, 1 - pairs.won])
    assert effective_pairs(rows, np.ones_like(rows)) == pytest.approx([found, found])


def test_two_independent_answers_are_worth_two_tosses() -> None:
    scores = np.random.default_rng(0).binomial(2, 0.6, 20_000) / 2
    assert effective_pairs(scores, np.ones(20_000)) == pytest.approx(40_000, rel=0.03)


def test_pairs_that_share_a_transcript_are_worth_less() -> None:
    chain = [(f"a{pair // 2}", f"b{pair}") for pair in range(40)]
    scores = np.repeat([1.0, 0.0] * 10, 2)
    together = PairScores(scores, clusters(chain), [])
    assert wilson(together).n == 20
    assert effective_pairs(together.won, together.asked) < 25
    assert wilson(together).low < wilson(scored(scores)).low


def test_too_few_clusters_have_no_interval() -> None:
    """19 clusters of two pairs have none; 3 pairs that share nothing do."""
    scores = np.repeat([1.0, 0.0] * 10, 2)[:38]
    chain = [(f"a{pair // 2}", f"b{pair}") for pair in range(38)]
    pairs = PairScores(scores, clusters(chain), [])
    for found in (wilson(pairs), bootstrap(pairs, seed=0)):
        assert (found.estimate, found.n) == (20 / 38, 19)
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert math.isnan(score_test(pairs))
    assert wilson(scored([1.0, 0.0, 0.5])).low > 0


@given(SCORES)
def test_the_score_test_is_the_interval_turned_round(scores: list[float]) -> None:
    pairs, p = scored(scores), score_test(scored(scores))
    n = effective_pairs(pairs.won, pairs.asked)
    for confidence in (0.5, 0.9, 0.95, 0.999):
        if abs(p - (1 - confidence)) > 1e-9:
            low, high = wilson_bounds(pairs.scores.mean(), n, confidence)
            assert (p < 1 - confidence) == (not low <= 0.5 <= high)


def test_nothing_and_one_pair() -> None:
    nothing = pair_scores(answers(["??", "?"]))
    assert nothing.scores.size == 0
    for found in (wilson(nothing), bootstrap(nothing, seed=0)):
        assert found.n == 0
        assert np.isnan(found[:3]).all()
    assert math.isnan(score_test(nothing))
    assert sign_test(nothing) == 1.0
    one = pair_scores(answers(["aa"]))
    assert wilson(one) == pytest.approx(plumbing.wilson(1, 1))
    assert bootstrap(one, seed=0) == wilson(one)
    assert sign_test(one) == 1.0


def test_a_judge_that_always_says_first() -> None:
    asked = answers([ALWAYS_FIRST] * 300)
    pairs = pair_scores(asked)
    found = wilson(pairs)
    assert (found.estimate, found.n) == (0.5, 300)
    assert 0 < 0.5 - found.low < 0.01  # it said so 300 times, which is not for ever
    assert order_disagreement(asked) == (1.0, 300)
    assert wilson(pair_scores(asked, first_shown)).estimate == 1.0
    assert (score_test(pairs), sign_test(pairs)) == (1.0, 1.0)


def test_all_ties() -> None:
    asked = answers(["tt"] * 50)
    found = wilson(pair_scores(asked))
    assert found.low < found.estimate == 0.5 < found.high
    assert bootstrap(pair_scores(asked), seed=0) == found
    assert order_disagreement(asked) == (0.0, 50)
    assert math.isnan(repeat_agreement(asked))


def test_only_opposite_verdicts_disagree() -> None:
    asked = answers(["aa", "ab", "ba", "at", "tt", "a?", "b"])
    assert order_disagreement(asked) == (2 / 5, 5)
    found = order_disagreement(answers(["a", "?b"]))
    assert (math.isnan(found.share), found.asked) == (True, 0)


@pytest.mark.parametrize(("wins", "losses"), [(3, 0), (5, 2), (4, 4), (1, 8)])
def test_sign_test_by_enumeration(wins: int, losses: int) -> None:
    n = wins + losses
    off = [abs(sum(signs) - n / 2) >= abs(wins - n / 2) for signs in product((0, 1), repeat=n)]
    pairs = answers(["aa"] * wins + ["bb"] * losses + ["ab", "tt"])
    assert sign_test(pair_scores(pairs)) == pytest.approx(np.mean(off))


def test_bootstrap_by_enumeration() -> None:
    """BCa with all 7^7 resamples instead of a few thousand."""
    scores = np.array([0, 0.5, 0.5, 1, 1, 1, 0.5])
    n, mean = len(scores), scores.mean()
    means = np.array([sum(each) / n for each in product(scores.tolist(), repeat=n)])
    left = (np.mean(means < mean - 1e-9) + np.mean(means < mean + 1e-9)) / 2
    without = np.array([np.delete(scores, place).mean() for place in range(n)])
    off = without.mean() - without
    acceleration = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    shift = stats.norm.ppf(left)
    z = shift + stats.norm.ppf([0.025, 0.975])
    ends = np.quantile(means, stats.norm.cdf(shift + z / (1 - acceleration * z)))
    found = bootstrap(scored(scores), seed=0)
    assert found.estimate == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx(tuple(ends), abs=0.5 / n)


def test_bootstrap_seeds() -> None:
    pairs = scored(np.random.default_rng(0).binomial(2, 0.7, 90) / 2)
    assert bootstrap(pairs, seed=1) == bootstrap(pairs, seed=1)
    assert len({bootstrap(pairs, seed=seed, resamples=200) for seed in range(5)}) > 1
    assert bootstrap(pairs, seed=1)[1:3] == pytest.approx(wilson(pairs)[1:3], abs=0.02)


@given(P_VALUES)
def test_holm_is_closed_testing(p_values: list[float]) -> None:
    """Each set of hypotheses by Bonferroni; one is rejected where all sets with it are."""
    places = range(len(p_values))
    sets = [each for size in places for each in combinations(places, size + 1)]
    truth = [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets if place in s)
        for place in places
    ]
    assert holm(p_values) == pytest.approx(truth)


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([0.02, math.nan, 0.03]) == pytest.approx([0.04, math.nan, 0.04], nan_ok=True)


def test_alpha_by_hand() -> None:
    """Nominal alpha: observed over expected disagreement among pairs of answers (Krippendorff)."""
    repeats = ["aab", "bbb", "ata", "b?b", "a??"]
    asked = [judgement(p, v, repeat=r) for p, vs in enumerate(repeats) for r, v in enumerate(vs)]
    units = [each for verdicts in repeats if len(each := verdicts.replace("?", "")) > 1]
    pooled = "".join(units)
    observed = sum(
        sum(x != y for x in unit for y in unit) / (len(unit) - 1) for unit in units
    ) / len(pooled)
    expected = sum(x != y for x in pooled for y in pooled) / (len(pooled) * (len(pooled) - 1))
    assert repeat_agreement(asked) == pytest.approx(1 - observed / expected)


def test_orders_and_qualities_are_questions_of_their_own() -> None:
    first = [judgement(p, v, repeat=r) for p, v in enumerate("abab") for r in range(2)]
    second = [each._replace(swapped=True, verdict=v) for each in first for v in [each.verdict]]
    assert repeat_agreement(first) == repeat_agreement([*first, *second]) == 1.0
    assert math.isnan(repeat_agreement(answers(["ab", "ba"])))
