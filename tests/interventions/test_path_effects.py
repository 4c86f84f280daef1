"""Effects of the image: total = direct + indirect, and the sign flips when the two images change places; in every family."""

import numpy as np
import pytest

import nbtoolkit as nbt
from nbtoolkit.interventions import path_effects
from nbtoolkit.interventions.path_effects import _effects as path_effects_of
from nbtoolkit.interventions.path_effects import baseline_image

from ..zoo_targets import EVERY, pair


@pytest.mark.parametrize(("name", "how"), EVERY)
def test_the_effects_add_up(name, how):
    t, _ = pair(name, how)
    if t.first_layer > 1:
        pytest.skip(f"{name} adds the image again between its blocks")
    through = t.at("question") or t.at("system")
    m = path_effects(t, through=through)
    total, direct, indirect = (m.values.sel(effect=e) for e in ("total", "direct", "indirect"))
    np.testing.assert_allclose(total, direct + indirect, atol=1e-6)
    for baseline in m.values.baseline.values:
        base = t.again(baseline_image(t.image, str(baseline)))
        assert float(total.sel(baseline=baseline)) == pytest.approx(t.value - base.value, abs=1e-5)
    base = t.again(baseline_image(t.image, "grey"))
    forth, back = (path_effects_of(a, b, through) for a, b in ((t, base), (base, t)))
    assert forth[0] == pytest.approx(-back[0], abs=1e-6)  # the two images change places
    # all positions but the image and the last one held: what remains is what the last position reads of the image itself
    everyone = [p for p in range(t.n_positions) if p not in t.at("image")]
    held = path_effects(t, baselines=["grey"], through=everyone)
    assert float(held.values.sel(effect="direct")[0]) == pytest.approx(0, abs=1e-4)


def test_what_cannot_be_is_refused():
    t, _ = pair("llava")
    with pytest.raises(
        nbt.errors.MethodError, match=r"baselines is \['red'\]; expected names among 'blank', 'grey', 'noise'"
    ):
        path_effects(t, baselines=["red"])
    toy = nbt.target(nbt.load_model("toy"), nbt.load_data("toy", n=1)[0]["image"], "a")
    with pytest.raises(
        nbt.errors.MethodError,
        match="through is 'question', which no position is; expected one of the roles that this prompt has, 'system', 'image', or positions",
    ):
        path_effects(toy)
