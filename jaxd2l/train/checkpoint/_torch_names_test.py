"""State dicts have the book's names and torch's layout; what is not of fully connected layers is refused by name."""

import jax
import numpy as np
import pytest

from jaxd2l import models
from jaxd2l.train.checkpoint import from_state_dict, layers_to_params, to_state_dict


def layer(outputs: int, inputs: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(outputs)
    return {"weight": rng.normal(size=(outputs, inputs)).astype(dtype), "bias": rng.normal(size=outputs).astype(dtype)}


def state_dict(**layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": array for prefix, parts in layers.items() for name, array in parts.items()}


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (models.softmax_regression(6, 3), {"net.1.weight": (3, 6), "net.1.bias": (3,)}),
        (
            models.mlp(6, (5, 4), 3),
            {
                "net.1.weight": (5, 6),
                "net.1.bias": (5,),
                "net.3.weight": (4, 5),
                "net.3.bias": (4,),
                "net.5.weight": (3, 4),
                "net.5.bias": (3,),
            },
        ),
    ],
)
def test_names_and_shapes_are_the_books(model, shapes):
    assert {n: a.shape for n, a in to_state_dict(model.init(jax.random.key(0))).items()} == shapes


def test_linear_regression_has_no_flatten():
    params = models.linear_regression(2).init(jax.random.key(0))
    assert list(to_state_dict(params, is_regression=True)) == ["net.weight", "net.bias"]
    with pytest.raises(ValueError, match="a linear regression is one layer; these are 2"):
        to_state_dict(models.mlp(2, 2, 1).init(jax.random.key(0)), is_regression=True)


@pytest.mark.parametrize("depth", [0, 1, 2, 12])
@pytest.mark.parametrize("make", [models.mlp, models.flax_mlp])
def test_there_and_back_is_bit_for_bit(make, depth):
    params = make(4, (4,) * depth, 4).init(jax.random.key(0))  # square: nothing but the order tells layers apart
    exported = to_state_dict(params)
    again = to_state_dict(layers_to_params(from_state_dict(dict(sorted(exported.items())))))
    assert {n: a.tobytes() for n, a in again.items()} == {n: a.tobytes() for n, a in exported.items()}
    layers = params["layers"] if make is models.flax_mlp else params
    for i in range(depth + 1):
        kernel = np.asarray(layers[i]["kernel"])
        assert exported[f"net.{2 * i + 1}.weight"].T.tobytes() == kernel.tobytes()


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({}, "at least one layer"),
        (state_dict(a={"weight": np.ones((2, 3), np.float32)}), "'a' has {'weight': \\(2, 3\\)}"),
        (state_dict(a=layer(2, 3) | {"running_mean": np.ones(2)}), "'a' has .*running_mean"),
        (state_dict(a={**layer(2, 3), "weight": np.ones((2, 3, 3, 3), np.float32)}), "weight of two axes"),
        (state_dict(a={**layer(2, 3), "bias": np.ones(3, np.float32)}), "shapes that do not fit together"),
        (state_dict(a=layer(2, 0)), "shapes that do not fit together"),
        (state_dict(a=layer(2, 3, np.float64)), "'a' must be float32.*'float64'"),
        (state_dict(a=layer(2, 3), b=layer(4, 3)), "2 outputs and the next one 3 inputs"),
        ({"weight": np.ones((2, 3), np.float32)}, "'the outermost' has"),
        ({"x": np.ones(3)}, "weight of two axes and a bias"),
    ],
)
def test_what_is_no_chain_of_linear_layers_is_refused_by_name(tensors, told):
    with pytest.raises(ValueError, match=told):
        from_state_dict(tensors)


def test_parameters_of_another_kind_of_model_are_refused():
    with pytest.raises(ValueError, match=r"jaxd2l's parameters .* 'conv' has"):
        to_state_dict({"conv": {"kernel": np.ones((3, 3, 1, 8), np.float32), "bias": np.ones(8, np.float32)}})


@pytest.mark.bad_input
def test_what_is_no_state_dict_is_refused() -> None:
    for tensors in (None, {"0.weight": [], "0.bias": []}):
        with pytest.raises(TypeError, match="must be a dictionary of arrays by name"):
            from_state_dict(tensors)
