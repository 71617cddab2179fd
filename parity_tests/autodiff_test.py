"""D2L 2.4 and 2.5 in torch and in JAX: gradients, cotangents, detached parts, control flow, second derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l.book import autodiff
from jaxd2l.parity.rule import compare_accuracy, compare_meaning, holds

RNG = np.random.default_rng(0)
X = np.arange(4, dtype=np.float32)


def torch_gradient(f, x, cotangent=None):
    x = torch.tensor(x, requires_grad=True)
    f(x).backward(cotangent)
    return x.grad.numpy()


def test_the_gradients_of_the_book_are_equal() -> None:
    x = jnp.asarray(X)
    y, pull_back = jax.vjp(lambda x: x * x, x)
    rows = {
        "2 x.x": (jax.grad(lambda x: 2 * x @ x)(x), torch_gradient(lambda x: 2 * torch.dot(x, x), X)),
        "sum": (jax.grad(jnp.sum)(x), torch_gradient(torch.sum, X)),
        "x * x, pulled back by ones": (
            pull_back(jnp.ones_like(y))[0],
            torch_gradient(lambda x: x * x, X, cotangent=torch.ones(4)),
        ),
        "detached": (
            jax.grad(lambda x: jnp.sum(jax.lax.stop_gradient(x * x) * x))(x),
            torch_gradient(lambda x: ((x * x).detach() * x).sum(), X),
        ),
    }
    for name, (ours, theirs) in rows.items():
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)


def book_function(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    return b if b.sum() > 0 else 100 * b


@pytest.mark.parametrize("function", [autodiff.double_past_1000, autodiff.double_past_1000_compiled])
@pytest.mark.parametrize("a", [3.0, -3.0, 1e-20, -700.0, 1e30, [1.0, -2.0], [300.0, -300.0], [0.0, 0.1]], ids=str)
def test_control_flow_is_equal_bit_for_bit(function, a) -> None:
    a = np.asarray(a, np.float32)
    theirs = torch.tensor(a, requires_grad=True)
    value = book_function(theirs)
    value.sum().backward()
    np.testing.assert_array_equal(function(jnp.asarray(a)), value.detach().numpy(), strict=True)
    gradient = jax.grad(lambda a: function(a).sum())(jnp.asarray(a))
    np.testing.assert_array_equal(gradient, theirs.grad.numpy(), strict=True)


W = RNG.normal(size=(3, 4))


def layer(xp, w, x):
    return xp.tanh(w @ x)


def energy(xp, w, x):
    return (xp.tanh(w @ x) ** 2).sum() * x[0]


@pytest.mark.parametrize("name", ["jacobian", "vjp", "jvp", "hessian", "hvp"])
def test_derivatives_have_one_meaning(name) -> None:
    x, u, v = RNG.normal(size=4), RNG.normal(size=3), RNG.normal(size=4)
    f, g = (lambda xp, w: lambda x: layer(xp, w, x)), (lambda xp, w: lambda x: energy(xp, w, x))
    tw, tx, tu, tv = (torch.from_numpy(z) for z in (W, x, u, v))
    functional = torch.autograd.functional
    theirs = {
        "jacobian": lambda: functional.jacobian(f(torch, tw), tx),
        "vjp": lambda: functional.vjp(f(torch, tw), tx, tu)[1],
        "jvp": lambda: functional.jvp(f(torch, tw), tx, tv)[1],
        "hessian": lambda: functional.hessian(g(torch, tw), tx),
        "hvp": lambda: functional.hvp(g(torch, tw), tx, tv)[1],
    }[name]()
    with jax.enable_x64(True):
        jw, jx, ju, jv = (jnp.asarray(z) for z in (W, x, u, v))
        ours = {
            "jacobian": lambda: jax.jacobian(f(jnp, jw))(jx),
            "vjp": lambda: jax.vjp(f(jnp, jw), jx)[1](ju)[0],
            "jvp": lambda: jax.jvp(f(jnp, jw), (jx,), (jv,))[1],
            "hessian": lambda: jax.hessian(g(jnp, jw))(jx),
            "hvp": lambda: autodiff.hessian_vector_product(g(jnp, jw), jx, jv),
        }[name]()
        row = compare_meaning(name, theirs.numpy(), np.asarray(ours), np.abs(W).sum() ** 2)
    assert holds(row), row


def test_a_hessian_vector_product_is_as_right_as_torchs() -> None:
    x, v = RNG.normal(size=4), RNG.normal(size=4)
    x, v, w = (z.astype(np.float32).astype(np.float64) for z in (x, v, W))

    def in_torch(dtype):
        tw, tx, tv = (torch.tensor(z, dtype=dtype) for z in (w, x, v))
        return torch.autograd.functional.hvp(lambda x: energy(torch, tw, x), tx, tv)[1].numpy()

    jw, jx, jv = (jnp.asarray(z, jnp.float32) for z in (w, x, v))
    ours = autodiff.hessian_vector_product(lambda x: energy(jnp, jw, x), jx, jv)
    oracle = in_torch(torch.float64)
    row = compare_accuracy("hvp", in_torch(torch.float32), np.asarray(ours), oracle, np.abs(w).sum(0) @ np.abs(v))
    assert holds(row), row


def test_both_gradient_checks_judge_alike() -> None:
    good, bad = (lambda xp, x: (xp.sin(x) * x).sum()), (lambda xp, x: (xp.sin(x) * stop[xp](x)).sum())
    stop = {jnp: jax.lax.stop_gradient, torch: torch.Tensor.detach}
    x = RNG.normal(size=3)
    assert torch.autograd.gradcheck(lambda x: good(torch, x), torch.tensor(x, requires_grad=True))
    assert autodiff.check_gradient(lambda x: good(jnp, x), x) < 1e-9
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: bad(torch, x), torch.tensor(x, requires_grad=True))
    with pytest.raises(AssertionError, match="central differences"):
        autodiff.check_gradient(lambda x: bad(jnp, x), x)
