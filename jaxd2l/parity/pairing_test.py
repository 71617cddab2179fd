"""Pairing of parameters: what is distinguished, and what is refused."""

import pytest

from jaxd2l.parity.pairing import Pair, orient, pair


def names(pairs: tuple[Pair, ...]) -> dict[str, str]:
    return {p.torch: p.jax for p in pairs}


MLP = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (3, 8), "2.bias": (3,)}


def test_layers_of_different_shapes_need_no_names() -> None:
    jax = {"b.bias": (3,), "b.kernel": (8, 3), "a.bias": (8,), "a.kernel": (4, 8)}
    assert names(pair(MLP, jax)) == {
        "0.weight": "a.kernel",
        "0.bias": "a.bias",
        "2.weight": "b.kernel",
        "2.bias": "b.bias",
    }


def test_equal_layers_are_paired_in_the_order_of_their_numbers_not_of_the_alphabet() -> None:
    torch = {f"{i}.{w}": shape for i in range(12) for w, shape in (("weight", (5, 4)), ("bias", (5,)))}
    jax = {f"Dense_{i}.{w}": s for i in sorted(range(12), key=str) for w, s in (("kernel", (4, 5)), ("bias", (5,)))}
    paired = names(pair(torch, jax))
    assert all(paired[f"{i}.weight"] == f"Dense_{i}.kernel" for i in range(12))
    assert all(paired[f"{i}.bias"] == f"Dense_{i}.bias" for i in range(12))


def test_scale_and_bias_of_a_norm_and_of_a_layer_of_its_size_are_distinguished() -> None:
    torch = {"0.weight": (8, 4), "0.bias": (8,), "1.weight": (8,), "1.bias": (8,)}
    jax = {"Dense_0.bias": (8,), "Dense_0.kernel": (4, 8), "LayerNorm_0.bias": (8,), "LayerNorm_0.scale": (8,)}
    assert names(pair(torch, jax))["0.bias"] == "Dense_0.bias"


def test_equal_names_decide() -> None:
    torch = {"encoder.weight": (5, 4), "decoder.weight": (5, 4)}
    jax = {"params.decoder.kernel": (4, 5), "params.encoder.kernel": (4, 5)}
    assert names(pair(torch, jax))["encoder.weight"] == "params.encoder.kernel"


def test_ambiguity_is_refused_with_the_candidates() -> None:
    torch, jax = {"encoder.weight": (5, 4), "decoder.weight": (5, 4)}, {"first.kernel": (4, 5), "second.kernel": (4, 5)}
    with pytest.raises(ValueError, match=r"encoder.weight \(5, 4\): first.kernel, second.kernel"):
        pair(torch, jax)
    assert names(pair(torch, jax, weights={"encoder.weight": "second.kernel"}))["decoder.weight"] == "first.kernel"


def test_a_square_kernel_needs_an_orientation() -> None:
    torch, jax = {"weight": (4, 4)}, {"params.kernel": (4, 4)}
    for weights in ("auto", {"weight": "kernel"}):
        with pytest.raises(ValueError, match="square"):
            pair(torch, jax, weights=weights)
    assert pair(torch, jax, weights={"weight": ("kernel", "transpose")})[0].orientation == "transpose"
    assert pair(torch, jax, weights={"weight": ("params.kernel", "same")})[0].orientation == "same"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weights": "kernel"}, "'weights', but torch has"),
        ({"weight": "kernels"}, "'kernels', but JAX has"),
        ({"weight": ("kernel", "same")}, "does not fit"),
        ({"weight": ("kernel", "sideways")}, "'same' or 'transpose'"),
        ({"weight": "bias"}, "does not fit"),
        ({"weight": ("kernel", "transpose"), "bias": "kernel"}, "does not fit"),
    ],
)
@pytest.mark.bad_input
def test_mappings_that_cannot_be_are_refused(weights, message) -> None:
    with pytest.raises(ValueError, match=message):
        pair({"weight": (3, 2), "bias": (3,)}, {"kernel": (2, 3), "bias": (3,)}, weights=weights)


def test_what_is_left_over_is_listed_for_both_sides() -> None:
    with pytest.raises(ValueError, match=r"torch \['bias \(3,\)'\], JAX \['gain \(7,\)'\]"):
        pair({"weight": (3, 2), "bias": (3,)}, {"kernel": (2, 3), "gain": (7,)})


def test_kernels_of_convolutions_turn_to_channels_last_and_back() -> None:
    import numpy as np

    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # out, in, height, width
    turned = orient(kernel, "transpose", to="jax")
    assert turned.shape == (4, 5, 3, 2)
    assert turned[1, 2, 0, 1] == kernel[1, 0, 1, 2]
    np.testing.assert_array_equal(orient(turned, "transpose", to="torch"), kernel)


def test_equal_names_of_other_shapes_are_named_and_not_paired_with_others() -> None:
    torch, jax = {"logt": (), "g": (1,)}, {"params.logt": (1,), "params.g": ()}
    with pytest.raises(ValueError, match=r"same name and other shapes: logt \(\) and params.logt \(1,\), g \(1,\)"):
        pair(torch, jax)
    given = {"logt": (), "g": (1,), "weight": (2,)}, {"params.logt": (1,), "params.scale": (), "params.gain": (2,)}
    with pytest.raises(ValueError, match=r"logt \(\) and params.logt \(1,\)"):
        pair(*given)


def test_what_is_left_over_comes_with_lines_to_paste() -> None:
    torch, jax = (
        {"slope": (1,), "proj.weight": (4, 4), "lost": (3,)},
        {"slope": (), "proj.kernel": (2, 2, 4), "b.x": (9,)},
    )
    with pytest.raises(ValueError, match="left over") as caught:
        pair(torch, jax)
    lines = str(caught.value).splitlines()
    assert '        "slope": take("slope").reshape(),' in lines
    assert '        "proj.kernel": take("proj.weight").reshape(2, 2, 4),' in lines
    assert '        "b.x": ...,' in lines
    assert "weights=lambda arrays: {...}" in lines[-1]
