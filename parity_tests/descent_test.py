"""The paths of chapter 12 beside those of torch.optim on the same functions, in float64; clipping and schedules too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxd2l import optim, schedules
from jaxd2l.book import descent


def ravine(x):
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


def turned(x):
    return 0.1 * (x[0] + x[1]) ** 2 + 2 * (x[0] - x[1]) ** 2


def torch_path(f, make, steps, schedule=None):
    x = torch.tensor([-5.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = make([x])
    scheduler = schedule and schedule(optimizer)
    path = [x.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        f(x).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        path.append(x.detach().clone())
    return torch.stack(path).numpy()


def our_path(f, tx, steps):
    with jax.enable_x64(True):
        start = jnp.array([-5.0, -2.0], jnp.float64)
        return np.asarray(jax.jit(lambda start: descent.trajectory(f, start, tx, steps=steps))(start))


PAIRS = {
    "gradient descent": (lambda: optim.sgd(0.4), lambda p: torch.optim.SGD(p, 0.4)),
    "momentum": (lambda: optim.sgd(0.6, momentum=0.5), lambda p: torch.optim.SGD(p, 0.6, momentum=0.5)),
    "Nesterov": (
        lambda: optim.sgd(0.4, momentum=0.5, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.4, momentum=0.5, nesterov=True),
    ),
    "Adagrad": (lambda: optim.adagrad(0.4), lambda p: torch.optim.Adagrad(p, 0.4)),
    "RMSprop": (lambda: optim.rmsprop(0.4, alpha=0.9), lambda p: torch.optim.RMSprop(p, 0.4, alpha=0.9)),
    "Adadelta": (lambda: optim.adadelta(1.0), lambda p: torch.optim.Adadelta(p, 1.0)),
    "Adam": (lambda: optim.adam(0.4, eps=1e-6), lambda p: torch.optim.Adam(p, 0.4, eps=1e-6)),
    "Adam, decay": (lambda: optim.adam(0.4, weight_decay=0.01), lambda p: torch.optim.Adam(p, 0.4, weight_decay=0.01)),
    "AdamW": (lambda: optim.adamw(0.4, weight_decay=0.01), lambda p: torch.optim.AdamW(p, 0.4, weight_decay=0.01)),
}


@pytest.mark.parametrize("f", [ravine, turned])
@pytest.mark.parametrize("name", PAIRS)
def test_torch_takes_the_same_path(name, f) -> None:
    ours, theirs = PAIRS[name]
    expected = torch_path(f, theirs, 20)
    # Nesterov's iteration diverges here, and so does its rounding: errors count on the scale of the largest value.
    np.testing.assert_allclose(our_path(f, ours(), 20), expected, rtol=0, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("rate", "schedule"),
    [
        (
            schedules.multi_step_lr(0.2, [5, 12], gamma=0.5),
            lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [5, 12], gamma=0.5),
        ),
        (
            schedules.inverse_square_root(0.2),
            lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: (t + 1) ** -0.5),
        ),
        (
            schedules.cosine_annealing_lr(0.2, 20, eta_min=0.01),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.01),
        ),
    ],
    ids=["multi-step", "inverse square root", "cosine"],
)
def test_torch_takes_the_same_path_with_a_schedule(rate, schedule) -> None:
    expected = torch_path(ravine, lambda p: torch.optim.SGD(p, 0.2), 20, schedule)
    np.testing.assert_allclose(our_path(ravine, optim.sgd(rate), 20), expected, rtol=1e-12, atol=1e-13)


def test_newton_takes_the_steps_of_torchs_hessian() -> None:
    def f(x):
        return 0.1 * x[0] ** 4 + (x[0] - x[1]) ** 2 + 0.5 * x[1] ** 2

    x = torch.tensor([-5.0, -2.0], dtype=torch.float64)
    path = [x]
    for _ in range(8):
        x.requires_grad_(True)
        gradient, hessian = torch.autograd.grad(f(x), x)[0], torch.autograd.functional.hessian(f, x)
        x = (x - torch.linalg.solve(hessian, gradient)).detach()
        path.append(x)
    with jax.enable_x64(True):
        ours = descent.newton(f, jnp.array([-5.0, -2.0]), steps=8)
    np.testing.assert_allclose(ours, torch.stack([p.detach() for p in path]), rtol=1e-12, atol=1e-14)
