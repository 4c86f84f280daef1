"""Claims: decided by their interval and Holm's correction, never by a sign."""

import numpy as np
import pytest
from scipy import stats

from nbtoolkit.metrics import Score, holm
from nbtoolkit.reproduction.claims import _claim, _p_of


def test_claims_are_decided_by_intervals(evaluation):
    r = evaluation
    claims = {text: holds for text, holds, n in r.claims() if n == 2}
    assert len(claims) == 17 and all(0 <= holds <= 2 for holds in claims.values())
    assert claims["Own captions fit best of all (Table 1)"] == 2
    # undecided for "bus": at the last layer half of its concepts' words are other subjects, which lower the CLIPScore
    assert claims["Concepts' words fit test images better than random words (Table 1)"] >= 1
    verdicts = {claim.text: claim for claim in r.verdicts()}
    assert verdicts["… and better than the token alone (control)"].verdict == "undecided"
    overlaps = verdicts["Semi-NMF's concepts share fewer words than K-Means' (Table 2)"]
    for token, (difference, low, high) in overlaps.words.items():
        row, again = r.overlaps[token], r.overlap_replicates[token]
        assert difference == pytest.approx(row["KMeans"] - row["SemiNMF"])
        half = stats.t.ppf(0.975, 4) * (again["KMeans"] - again["SemiNMF"]).std(ddof=1)
        assert (low, high) == pytest.approx((difference - half, difference + half))
    layers = verdicts["Words fit better at the last layer than at the first (Figure 6)"]
    assert layers.verdict == "undecided" and all(np.isnan(part[1:]).all() for part in layers.words.values())


def test_a_verdict_follows_its_interval():
    """Of three words the interval over words counts; of two, both words; a difference without an interval decides nothing."""
    part = {"holds": (1.0, 0.5, 1.5), "fails": (-1.0, -1.5, -0.5), "undecided": (1.0, -0.5, 2.5)}
    for verdict, own in part.items():
        assert _claim("x", {"a": own}).verdict == _claim("x", {"a": own, "b": own}).verdict == verdict
    assert _claim("x", {"a": part["holds"], "b": part["fails"]}).verdict == "undecided"
    points = {t: (d, np.nan, np.nan) for t, d in zip("abcd", (1.0, 1.1, 0.9, 1.05), strict=True)}
    claim = _claim("x", points)
    assert claim.verdict == "holds" and claim.count("undecided") == 4 and str(claim).startswith("holds      x: +1.0")
    assert _claim("x", points | {"e": (-9.0, np.nan, np.nan)}).verdict == "undecided"
    assert _claim("x", {"a": (np.nan,) * 3}).verdict == "undecided"


def test_the_p_value_of_a_claim_is_that_of_its_interval():
    """1 less the level at which the interval ends at 0; of one word by the normal distribution, 0.05 at the edge."""
    values = np.array([0.3, 0.5, 0.1, 0.4, 0.2, 0.6])
    claim = _claim("x", {str(i): (v, np.nan, np.nan) for i, v in enumerate(values)})
    assert 0 < claim.p < 0.05 and Score(values).interval(1 - claim.p)[0] == pytest.approx(0, abs=1e-6)
    assert _claim("x", {str(i): (v, np.nan, np.nan) for i, v in enumerate(-values)}).p == pytest.approx(claim.p)
    assert _p_of(1.0, 0.0, 2.5) == pytest.approx(0.05) and _p_of(-1.0, -2.5, 0.0) == pytest.approx(0.05)
    assert _p_of(2.0, 1.0, 3.0) == pytest.approx(2 * stats.norm.sf(2 * stats.norm.ppf(0.975)))
    one = (1.0, 0.5, 1.5)
    assert _claim("x", {"a": one, "b": (-1.0, -1.5, -0.5)}).p == 1 and np.isnan(
        _claim("x", {"a": (1.0, np.nan, np.nan)}).p
    )


def test_claims_of_a_report_are_one_family(evaluation):
    """Holm's p-values are over all claims that have one; where it is above 0.05 an interval beside 0 does not decide."""
    family = evaluation.verdicts()
    np.testing.assert_allclose([c.p_holm for c in family], holm([c.p for c in family]))
    assert {c.verdict for c in family if c.p_holm > 0.05} <= {"undecided"}
    claim = _claim("x", {"a": (1.0, 0.5, 1.5)})
    assert (
        claim.verdict == "holds"
        and type(claim)(claim.text, claim.words, 1.0, 0.5, 1.5, 0.01, 0.2).verdict == "undecided"
    )


def test_differences_of_claims_by_hand(evaluation):
    r, claims = evaluation, {c.text: c for c in evaluation.verdicts()}
    for token in ("dog", "bus"):
        own = r.held_out[token]
        more = Score(own.errors[4] - own.errors[6])
        part = claims["More concepts rebuild held-out states better (Figure 11)"].words[token]
        assert part == pytest.approx((more.mean, *more.interval()))
        stable = r.stability[token]["SemiNMF"]
        part = claims["Concepts recur in halves of the data more than random mixtures (control)"].words[token]
        assert part[0] == pytest.approx(stable.centred.mean - stable.centred_null.mean)
        assert part[1] == pytest.approx(stable.centred.mean - np.quantile(stable.centred_null.values, 0.975))
        scores = r.grounding[token].per_concept
        part = claims["At the last layer words fit better than random words (Figures 3 and 6)"].words[token]
        assert part[0] == pytest.approx(np.nanmean(scores["clip_score"] - scores["clip_score_random"]))
        causes = r.causal[token]["SemiNMF"]
        text = "An ablated concept's word goes rather than others, against random directions (control)"
        expected = np.mean(causes.named - causes.others - causes.null_named + causes.null_others)
        assert claims[text].words[token][0] == pytest.approx(expected, nan_ok=True)
        part = claims["Semi-NMF fits better than a TopKSAE (comparison)"].words[token]
        test = r.tests[token].get("TopKSAE")
        assert test is None or part == (test.difference, test.low, test.high)
