"""The networks with batch normalisation in Flax compute what ours compute, from the same numbers."""

import jax
import numpy as np
import pytest

from jaxd2l import models

KEY = jax.random.key(0)
ARCH = ((2, 4), (1, 8))


def numbered(values):
    return dict(enumerate(values))


def lenet_in_flax(params, state):
    layers, averages = [p for p in params if p], [s for s in state if s]
    of = {"convolutions": numbered(layers[0:4:2]), "dense": numbered(layers[4::2]), "norms": numbered(layers[1::2])}
    return of, {"norms": numbered(averages)}


def resnet_in_flax(params, state):
    def block(f, shortcut):
        of = {"first": f[0], "second": f[3], "norms": numbered((f[1], f[4]))}
        return of | ({"shortcut": shortcut} if shortcut else {})

    stem, *stages, _, output = params
    stem_state, *stage_states, _, _ = state
    blocks = [block(*residual[0]) for stage in stages for residual in stage]
    norms = [{"norms": numbered((f[1], f[4]))} for stage in stage_states for ((f, _), _) in stage]
    return (
        {"stem": stem[0], "norm": stem[1], "blocks": numbered(blocks), "output": output},
        {"norm": stem_state[1], "blocks": numbered(norms)},
    )


@pytest.mark.parametrize(
    ("scratch", "flax", "to_flax"),
    [
        pytest.param(
            *(models.batch_norm_lenet((16, 16, 1)), models.flax_batch_norm_lenet((16, 16, 1)), lenet_in_flax),
            id="LeNet",
        ),
        pytest.param(
            *(models.resnet(ARCH, (16, 16, 1)), models.flax_resnet(ARCH, (16, 16, 1)), resnet_in_flax),
            id="ResNet",
            marks=pytest.mark.long,
        ),
    ],
)
def test_flax_computes_what_ours_does_but_for_the_stored_variance(scratch, flax, to_flax) -> None:
    params, state = scratch.init(KEY)
    state = jax.tree.map(lambda average: average + 0.25, state)
    theirs = to_flax(params, state)
    assert jax.tree.map(np.shape, theirs) == jax.tree.map(np.shape, flax.init(KEY))
    x = jax.random.normal(jax.random.key(1), (6, 16, 16, 1))
    measured, _ = scratch.apply(params, state, x)
    np.testing.assert_allclose(flax.apply(*theirs, x)[0], measured, rtol=1e-4, atol=1e-5)
    outputs, moved = scratch.apply(params, state, x, train=True)
    flax_outputs, flax_moved = flax.apply(*theirs, x, train=True)
    np.testing.assert_allclose(flax_outputs, outputs, rtol=1e-4, atol=1e-5)
    _, ours = to_flax(params, moved)
    (path, mean), *_ = [leaf for leaf in jax.tree.leaves_with_path(ours) if leaf[0][-1].key == "mean"]
    found = dict(jax.tree.leaves_with_path(flax_moved))
    np.testing.assert_allclose(found[path], mean, rtol=1e-4, atol=1e-6)
    variance = (*path[:-1], jax.tree_util.DictKey("var"))
    old, new = (dict(jax.tree.leaves_with_path(tree))[variance] for tree in (theirs[1], ours))
    n = 6 * (12 * 12 if to_flax is lenet_in_flax else 4 * 4)  # values of a channel at the first norm
    np.testing.assert_allclose(found[variance] - 0.9 * old, (new - 0.9 * old) * (n - 1) / n, rtol=1e-3)


@pytest.mark.bad_input
def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 x 16"):
        models.flax_batch_norm_lenet((15, 15, 1))
    with pytest.raises(ValueError, match=r"arch\[0\] must be \(blocks, channels\)"):
        models.flax_resnet(((1, 2, 3),))
