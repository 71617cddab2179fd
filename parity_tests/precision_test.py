"""`precision=`: both libraries in bfloat16, tf32 or their defaults, by the same rule with that precision's roundoff."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from jaxd2l import losses, models, parity
from jaxd2l.parity.rule import compare_accuracy, holds

PORT = models.mlp(20, 16, 5)


def compare(precision, port=PORT, **options) -> parity.Report:
    torch.manual_seed(0)
    random = np.random.default_rng(1)
    net = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.ReLU(), torch.nn.Linear(16, 5))
    batch = random.normal(size=(32, 20)).astype(np.float32), random.integers(0, 5, 32)
    loss = torch.nn.functional.cross_entropy, losses.cross_entropy
    return parity.check(net, port, batch, loss=loss, precision=precision, **options)


def test_a_right_port_holds_in_bfloat16_with_its_roundings() -> None:
    optim = (lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9), optax.sgd(0.1, 0.9))
    report = compare("bfloat16", optim=optim, steps=4)
    report.assert_ok()
    rows = {row.quantity: row for row in report.rows if row.precision == "bfloat16"}
    assert {"outputs", "0.weight after one step", "bfloat16 free run"} <= set(rows)
    # Both err, by parts of a rounding of bfloat16: thousands of float32's.
    assert all(0.01 < rows["outputs"]._asdict()[side] < 4 for side in ("torch_error", "jax_error"))
    assert "bfloat16" in report.context["precision"]
    assert "bfloat16" in report.markdown()
    assert "loss, JAX bfloat16" in report.curves


def narrower(params, x, *, key=None):
    return PORT.apply(params, x.astype(jnp.float8_e5m2).astype(x.dtype), key=key)


def scaled(params, x, *, key=None):
    return PORT.apply(params, x * 1.001, key=key)


@pytest.mark.parametrize(("apply", "level"), [(narrower, "accuracy"), (scaled, "meaning")])
def test_fewer_digits_than_bfloat16_and_another_function_are_found(apply, level) -> None:
    """A factor of 1.001 is lost in bfloat16's roundings; in float64 it is not."""
    report = compare("bfloat16", PORT._replace(apply=apply))
    failed = {row.level for row in report.failures if row.quantity == "outputs"}
    assert failed == {level}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a GPU has tf32")
@pytest.mark.parametrize(("precision", "said"), [("tf32", "which a CPU does not have"), ("default", "JAX's cpu")])
def test_on_a_cpu_the_others_are_float32_and_the_report_says_so(precision, said) -> None:
    report = compare(precision)
    report.assert_ok()
    assert said in report.context["precision"]
    assert {row.precision for row in report.rows} == {"float64", "float32"}


def test_without_it_the_report_says_that_products_have_all_digits() -> None:
    assert "'highest'" in compare("float32").context["precision"]


@pytest.mark.bad_input
def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="one of float32, bfloat16, tf32, default"):
        compare("float16")


@pytest.mark.parametrize(("precision", "digits"), [("float32", 24), ("tf32", 11), ("bfloat16", 8)])
def test_a_rounding_is_half_a_unit_in_the_last_of_its_digits(precision, digits) -> None:
    one = np.float32(1.0)
    row = compare_accuracy("one", one, one + np.float32(4 * 2.0**-digits), 1.0, 1.0, precision)
    assert row.jax_error == pytest.approx(4)
    assert holds(row)
