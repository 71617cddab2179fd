"""Planted defects: ports of optimisers that are wrong, and the words that `parity.check` must say of them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import torch

from jaxd2l import optim

Factory = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
WEIGHTS = optim.kernels
_T = torch.optim


class Defect(NamedTuple):
    """A torch optimiser, its right port, a wrong one, and words that the hint must hold."""

    name: str
    torch: Factory
    right: optax.GradientTransformation
    wrong: optax.GradientTransformation
    words: tuple[str, ...]


def defects() -> Iterator[Defect]:
    """All of them."""
    for family in FAMILIES:
        yield from family()


def _of(kind: type[_T.Optimizer], **options: Any) -> Factory:
    return lambda params: kind(params, **options)


def _family(
    name: str, theirs: Factory, right: optax.GradientTransformation, wrong: dict[str, tuple[Any, ...]]
) -> Iterator[Defect]:
    for what, (tx, *words) in wrong.items():
        yield Defect(f"{name}: {what}", theirs, right, tx, tuple(words))


def _adam() -> Iterator[Defect]:
    ours = optim.adam
    return _family(
        "Adam",
        _of(_T.Adam, lr=0.01),
        ours(0.01),
        {
            "eps 1e-7": (ours(0.01, eps=1e-7), "eps=1e-07"),
            "eps 1e-6": (ours(0.01, eps=1e-6), "eps=1e-06"),
            "eps 1e-3": (ours(0.01, eps=1e-3), "eps=0.001"),
            "beta2 .99": (ours(0.01, betas=(0.9, 0.99)), "betas=(0.9, 0.99)"),
            "beta2 .95": (ours(0.01, betas=(0.9, 0.95)), "betas=(0.9, 0.95)"),
            "beta1 .95": (ours(0.01, betas=(0.95, 0.999)), "betas=(0.95, 0.999)"),
            "no momentum": (ours(0.01, betas=(0.0, 0.999)), "betas=(0.0, 0.999)"),
            "betas exchanged": (ours(0.01, betas=(0.999, 0.9)), "betas=(0.999, 0.9)"),
            "tenth of the rate": (ours(0.001), "0.1 times the learning rate"),
            "ten times the rate": (ours(0.1), "10 times the learning rate"),
            "double rate": (ours(0.02), "2 times the learning rate"),
            "other sign": (ours(0.01, maximize=True), "the other sign"),
            "amsgrad": (ours(0.01, amsgrad=True), "amsgrad"),
            "decay of adamw": (optax.adamw(0.01), "decoupled weight decay of 0.0001"),
            "decay of torch's adamw": (optim.adamw(0.01), "decoupled weight decay of 0.01"),
            "look ahead": (optax.nadam(0.01), "Nesterov"),
            "NAdam": (optim.nadam(0.01), "NAdam"),
            "RAdam": (optim.radam(0.01), "RAdam"),
            "Adamax": (optim.adamax(0.01), "Adamax"),
            "eps under the root": (optax.adam(0.01, eps=0.0, eps_root=1e-8), "eps under the root"),
            "no bias correction": (_uncorrected(0.01), "no bias correction"),
            "eps before the correction": (_eps_hat(0.01), "eps before the bias correction"),
        },
    )


def _adam_with_decay() -> Iterator[Defect]:
    ours = optim.adam
    return _family(
        "Adam with decay",
        _of(_T.Adam, lr=0.01, weight_decay=0.1),
        ours(0.01, weight_decay=0.1),
        {
            "decoupled": (optim.adamw(0.01, weight_decay=0.1), "decoupled weight decay"),
            "decoupled, optax": (optax.adamw(0.01, weight_decay=0.1), "decoupled weight decay"),
            "none": (ours(0.01), "no weight decay"),
            "not scaled": (optax.chain(ours(0.01), _shrink(0.1)), "not scaled by the learning rate"),
            "half": (ours(0.01, weight_decay=0.05), "weight_decay=0.05"),
            "double": (ours(0.01, weight_decay=0.2), "weight_decay=0.2"),
            "kernels alone": (ours(0.01, weight_decay=0.1, weight_decay_mask=WEIGHTS), "does not decay biases"),
        },
    )


def _adam_with_amsgrad() -> Iterator[Defect]:
    ours = optim.adam
    return _family(
        "Adam with amsgrad",
        _of(_T.Adam, lr=0.01, amsgrad=True),
        ours(0.01, amsgrad=True),
        {
            "none": (ours(0.01), "no amsgrad"),
            "optax's": (optax.amsgrad(0.01), "bias-corrected"),
            "eps": (ours(0.01, amsgrad=True, eps=1e-5), "eps=1e-05"),
        },
    )


def _adamw() -> Iterator[Defect]:
    ours = optim.adamw
    return _family(
        "AdamW",
        _of(_T.AdamW, lr=0.01, weight_decay=0.1),
        ours(0.01, weight_decay=0.1),
        {
            "optax's default decay": (optax.adamw(0.01), "weight_decay=0.0001"),
            "torch's default decay": (ours(0.01), "weight_decay=0.01"),
            "coupled": (optim.adam(0.01, weight_decay=0.1), "coupled weight decay"),
            "none": (optax.adam(0.01), "no weight decay"),
            "not scaled by the rate": (optax.chain(optim.adam(0.01), _shrink(0.1)), "not scaled"),
            "tenth of the decay": (optax.adamw(0.01, weight_decay=0.01), "weight_decay=0.01"),
            "kernels alone": (ours(0.01, weight_decay=0.1, weight_decay_mask=WEIGHTS), "does not decay biases"),
            "beta2": (ours(0.01, weight_decay=0.1, betas=(0.9, 0.99)), "betas=(0.9, 0.99)"),
            "beta2 of language models": (ours(0.01, weight_decay=0.1, betas=(0.9, 0.95)), "betas=(0.9, 0.95)"),
            "eps": (ours(0.01, weight_decay=0.1, eps=1e-6), "eps=1e-06"),
            "eps and beta2": (ours(0.01, weight_decay=0.1, eps=1e-6, betas=(0.9, 0.99)), "eps=1e-06", "(0.9, 0.99)"),
            "eps and decay": (ours(0.01, eps=1e-5), "eps=1e-05", "weight_decay=0.01"),
            "amsgrad": (ours(0.01, weight_decay=0.1, amsgrad=True), "amsgrad"),
            "rate": (ours(0.02, weight_decay=0.1), "2 times the learning rate"),
            "look ahead": (optax.nadamw(0.01, weight_decay=0.1), "Nesterov"),
            "bias": (optax.chain(_uncorrected(0.01), _shrink(0.001)), "no bias correction"),
        },
    )


def _rmsprop() -> Iterator[Defect]:
    return _family(
        "RMSprop",
        _of(_T.RMSprop, lr=0.01),
        optim.rmsprop(0.01),
        {
            "optax's defaults": (optax.rmsprop(0.01), "alpha=0.9", "eps under the root"),
            "alpha .9": (optim.rmsprop(0.01, alpha=0.9), "alpha=0.9"),
            "eps under the root": (optax.rmsprop(0.01, decay=0.99), "eps under the root"),
            "eps 1e-6": (optim.rmsprop(0.01, eps=1e-6), "eps=1e-06"),
            "centered": (optim.rmsprop(0.01, centered=True), "centered"),
            "momentum": (optim.rmsprop(0.01, momentum=0.9), "momentum=0.9"),
            "bias correction": (
                optax.rmsprop(0.01, decay=0.99, eps_in_sqrt=False, bias_correction=True),
                "bias correction",
            ),
            "rate": (optim.rmsprop(0.001), "0.1 times the learning rate"),
            "sign": (optim.rmsprop(0.01, maximize=True), "the other sign"),
            "alpha and eps": (optim.rmsprop(0.01, alpha=0.9, eps=1e-6), "alpha=0.9", "eps=1e-06"),
        },
    )


def _rmsprop_with_momentum() -> Iterator[Defect]:
    return _family(
        "RMSprop with momentum",
        _of(_T.RMSprop, lr=0.01, momentum=0.9, weight_decay=0.1, centered=True),
        optim.rmsprop(0.01, momentum=0.9, weight_decay=0.1, centered=True),
        {
            "no momentum": (optim.rmsprop(0.01, weight_decay=0.1, centered=True), "momentum"),
            "not centered": (optim.rmsprop(0.01, momentum=0.9, weight_decay=0.1), "no centered"),
            "no decay": (optim.rmsprop(0.01, momentum=0.9, centered=True), "decay"),
            "another momentum": (
                optim.rmsprop(0.01, momentum=0.5, weight_decay=0.1, centered=True),
                "momentum=0.5",
            ),
        },
    )


def _adagrad() -> Iterator[Defect]:
    return _family(
        "Adagrad",
        _of(_T.Adagrad, lr=0.1),
        optim.adagrad(0.1),
        {
            "optax's defaults": (optax.adagrad(0.1), "optax's defaults", "0.1"),
            "optax's start": (optim.adagrad(0.1, initial_accumulator_value=0.1), "initial_accumulator_value=0.1"),
            "eps 1e-7": (optim.adagrad(0.1, eps=1e-7), "eps=1e-07"),
            "eps 1e-6": (optim.adagrad(0.1, eps=1e-6), "eps=1e-06"),
            "eps under the root": (
                optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-10),
                "eps under the root",
            ),
            "rate": (optim.adagrad(0.01), "0.1 times the learning rate"),
        },
    )


def _adagrad_with_decays() -> Iterator[Defect]:
    return _family(
        "Adagrad with decays",
        _of(_T.Adagrad, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
        optim.adagrad(0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1),
        {
            "no decay of the rate": (
                optim.adagrad(0.1, weight_decay=0.1, initial_accumulator_value=0.1),
                "lr_decay=0",
            ),
            "no decay": (optim.adagrad(0.1, lr_decay=0.1, initial_accumulator_value=0.1), "decay"),
            "start": (optim.adagrad(0.1, lr_decay=0.1, weight_decay=0.1), "initial_accumulator_value=0.0"),
        },
    )


def _adadelta() -> Iterator[Defect]:
    return _family(
        "Adadelta",
        _of(_T.Adadelta, lr=1.0),
        optim.adadelta(1.0),
        {
            "rho": (optax.adadelta(1.0, rho=0.95), "rho=0.95"),
            "eps": (optax.adadelta(1.0, eps=1e-7), "eps=1e-07"),
            "eps 1e-5": (optim.adadelta(1.0, eps=1e-5), "eps=1e-05"),
            "rate": (optax.adadelta(0.1), "0.1 times the learning rate"),
            "sign": (optim.adadelta(1.0, maximize=True), "the other sign"),
        },
    )


def _adamax() -> Iterator[Defect]:
    return _family(
        "Adamax",
        _of(_T.Adamax, lr=0.01),
        optim.adamax(0.01),
        {
            "eps": (optim.adamax(0.01, eps=1e-6), "eps=1e-06"),
            "beta2": (optim.adamax(0.01, betas=(0.9, 0.99)), "betas=(0.9, 0.99)"),
            "Adam": (optim.adam(0.01), "Adam"),
            "rate": (optim.adamax(0.02), "2 times the learning rate"),
        },
    )


def _nadam() -> Iterator[Defect]:
    return _family(
        "NAdam",
        _of(_T.NAdam, lr=0.01),
        optim.nadam(0.01),
        {
            "optax's": (optax.nadam(0.01), "constant momentum"),
            "Adam": (optim.adam(0.01), "no look ahead"),
            "eps": (optim.nadam(0.01, eps=1e-6), "eps=1e-06"),
            "momentum decay": (optim.nadam(0.01, momentum_decay=0.0), "momentum_decay=0.0"),
            "beta2": (optim.nadam(0.01, betas=(0.9, 0.99)), "betas=(0.9, 0.99)"),
        },
    )


def _radam() -> Iterator[Defect]:
    return _family(
        "RAdam",
        _of(_T.RAdam, lr=0.01, betas=(0.9, 0.8)),
        optim.radam(0.01, betas=(0.9, 0.8)),
        {
            "beta1": (optim.radam(0.01, betas=(0.95, 0.8)), "betas=(0.95, 0.8)"),
            "rate": (optim.radam(0.1, betas=(0.9, 0.8)), "10 times the learning rate"),
            "Adam": (optim.adam(0.01, betas=(0.9, 0.8)), "Adam"),
        },
    )


def _sgd_with_momentum() -> Iterator[Defect]:
    return _family(
        "SGD with momentum",
        _of(_T.SGD, lr=0.1, momentum=0.9, weight_decay=0.1),
        optim.sgd(0.1, momentum=0.9, weight_decay=0.1),
        {
            "no momentum": (optim.sgd(0.1, weight_decay=0.1), "momentum is missing"),
            "nesterov": (optim.sgd(0.1, momentum=0.9, weight_decay=0.1, nesterov=True), "nesterov"),
            "another momentum": (optim.sgd(0.1, momentum=0.5, weight_decay=0.1), "momentum=0.5"),
            "averaged": (
                optax.chain(optax.add_decayed_weights(0.1), optax.ema(0.9, debias=False), optax.scale(-0.1)),
                "averages",
            ),
            "decay after momentum": (
                optax.chain(optax.trace(0.9), optax.add_decayed_weights(0.1), optax.scale(-0.1)),
                "decay after momentum",
            ),
            "decay after the rate": (
                optax.chain(optax.trace(0.9), optax.scale(-0.1), optax.add_decayed_weights(-0.1)),
                "decay after lr",
            ),
            "no decay": (optim.sgd(0.1, momentum=0.9), "decay is missing"),
            "biases spared": (
                optim.sgd(0.1, momentum=0.9, weight_decay=0.1, weight_decay_mask=WEIGHTS),
                "does not decay biases",
            ),
            "another decay": (optim.sgd(0.1, momentum=0.9, weight_decay=0.01), "weight_decay=0.01"),
            "dampening": (optim.sgd(0.1, momentum=0.9, dampening=0.9, weight_decay=0.1), "dampening=0.9"),
            "rate": (optim.sgd(0.05, momentum=0.9, weight_decay=0.1), "0.5 times the learning rate"),
            "climbs": (optim.sgd(0.1, momentum=0.9, weight_decay=0.1, maximize=True), "the other sign"),
        },
    )


def _sgd_nesterov() -> Iterator[Defect]:
    return _family(
        "SGD, nesterov",
        _of(_T.SGD, lr=0.1, momentum=0.9, nesterov=True),
        optax.sgd(0.1, 0.9, nesterov=True),
        {
            "plain momentum": (optax.sgd(0.1, 0.9), "no nesterov"),
            "no momentum": (optax.sgd(0.1), "momentum is missing"),
            "rate": (optax.sgd(0.01, 0.9, nesterov=True), "0.1 times the learning rate"),
        },
    )


def _groups() -> Iterator[Defect]:
    def theirs(params: list[torch.Tensor]) -> torch.optim.Optimizer:
        weights, biases = ([p for p in params if (p.ndim > 1) == is_weight] for is_weight in (True, False))
        return _T.AdamW([{"params": weights, "lr": 0.02}, {"params": biases, "weight_decay": 0.0}], 0.01)

    def ours(weights: Any, biases: Any) -> optax.GradientTransformation:
        return optax.partition({True: weights, False: biases}, WEIGHTS)

    of_weights, of_biases = optim.adamw(0.02), optim.adamw(0.01, weight_decay=0.0)
    yield from _family(
        "AdamW in groups",
        theirs,
        ours(of_weights, of_biases),
        {
            "exchanged": (ours(of_biases, of_weights), "groups mixed up", "exchanged"),
            "one group for all": (of_weights, "groups mixed up", "group 1"),
            "the other for all": (of_biases, "groups mixed up", "group 2"),
            "all decay": (ours(of_weights, optim.adamw(0.01)), "decays all parameters"),
            "eps": (ours(optim.adamw(0.02, eps=1e-6), optim.adamw(0.01, weight_decay=0.0, eps=1e-6)), "eps=1e-06"),
            "biases frozen": (ours(of_weights, optax.set_to_zero()), "not updated in JAX"),
        },
    )


FAMILIES = (
    _adam,
    _adam_with_decay,
    _adam_with_amsgrad,
    _adamw,
    _rmsprop,
    _rmsprop_with_momentum,
    _adagrad,
    _adagrad_with_decays,
    _adadelta,
    _adamax,
    _nadam,
    _radam,
    _sgd_with_momentum,
    _sgd_nesterov,
    _groups,
)


def _shrink(factor: float) -> optax.GradientTransformation:
    """p - factor * p, without a learning rate."""
    return optax.add_decayed_weights(-factor)


def _uncorrected(rate: float) -> optax.GradientTransformation:
    """Adam without bias correction."""

    def update(g: Any, state: Any, params: Any = None) -> Any:
        m, v = state
        m = optax.tree.add_scale(optax.tree.scale(0.9, m), 0.1, g)
        v = optax.tree.add_scale(optax.tree.scale(0.999, v), 0.001, optax.tree.mul(g, g))
        step = optax.tree.div(m, optax.tree.add_scale(_eps(v, 1e-8), 1.0, _sqrt(v)))
        return optax.tree.scale(-rate, step), (m, v)

    return optax.GradientTransformation(lambda p: (optax.tree.zeros_like(p), optax.tree.zeros_like(p)), update)


def _eps_hat(rate: float) -> optax.GradientTransformation:
    """Adam as TensorFlow has it: eps is added to the root of the uncorrected mean of squares."""

    def update(g: Any, state: Any, params: Any = None) -> Any:
        m, v, t = state
        t = t + 1
        m = optax.tree.add_scale(optax.tree.scale(0.9, m), 0.1, g)
        v = optax.tree.add_scale(optax.tree.scale(0.999, v), 0.001, optax.tree.mul(g, g))
        size = rate * jnp.sqrt(-jnp.expm1(t * jnp.log(0.999))) / -jnp.expm1(t * jnp.log(0.9))
        step = optax.tree.div(m, optax.tree.add_scale(_eps(v, 1e-8), 1.0, _sqrt(v)))
        return optax.tree.scale(-size, step), (m, v, t)

    def init(p: Any) -> Any:
        return optax.tree.zeros_like(p), optax.tree.zeros_like(p), jnp.zeros(())

    return optax.GradientTransformation(init, update)


def _sqrt(tree: Any) -> Any:
    return jax.tree.map(jnp.sqrt, tree)


def _eps(tree: Any, eps: float) -> Any:
    return optax.tree.full_like(tree, eps)
