"""Why two optimisers differ, found as in `hints`: torch's is changed in one known way and then gives what JAX gives."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch

from jaxd2l.parity.hints import Alternative, explain
from jaxd2l.parity.optimizer_choices import choices, own_options, regrouped
from jaxd2l.parity.optimizer_rules import DIRECTIONS, settings, written_out
from jaxd2l.parity.quantities import Values
from jaxd2l.parity.torch_side import TorchTraining, parameters, plain_step, torch_path

_RATE_FACTORS = (10.0, 0.1, 2.0, 0.5, 100.0, 0.01, -1.0)


class Run(NamedTuple):
    """Torch's optimiser on given gradients, ready to be changed.

    show: `show(parameters)`, the form in which both sides' parameters are compared.
    """

    training: TorchTraining
    module: torch.nn.Module
    gradients: list[Values]
    show: Callable[[Values], Values]

    @property
    def start(self) -> Values:
        """The parameters at the beginning."""
        return parameters(self.module)

    @property
    def settings(self) -> dict[str, Any]:
        """Those that the factory makes."""
        return self.training.factory([torch.zeros(1, dtype=torch.float64, requires_grad=True)]).param_groups[0]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The groups of parameters that the factory makes."""
        return self.training.factory(
            [torch.tensor(value, requires_grad=True) for value in self.start.values()]
        ).param_groups

    def path(self, **options: Any) -> np.ndarray:
        """All parameters after all steps, as one vector; options as for `torch_path`."""
        return self.flat(torch_path(self.training, self.module, self.gradients, **options))

    def flat(self, path: list[Values]) -> np.ndarray:
        """Parameters of all steps, in the form in which they are compared, as one vector."""
        return _flat([self.show(step) for step in path])


def explain_optimizer(run: Run, ours: list[Values], theirs: list[Values], scale: Values) -> str:
    """Why the paths of parameters differ although the gradients are the same."""
    alternatives = chain(_alternatives(run, ours), _written_out(run, _flat(theirs)))
    return explain(_flat(ours), _flat(theirs), _flat([scale]), alternatives)


def _written_out(run: Run, theirs: np.ndarray) -> Iterator[Alternative]:
    """Torch's optimiser with other options, groups that are mixed up among them."""
    kind, of = settings(run.training.factory, run.start)
    if kind not in DIRECTIONS:
        return

    def path(changes: dict[str, Any], of: dict[str, dict[str, Any]] = of) -> np.ndarray:
        return run.flat(written_out(kind, of, run.start, run.gradients, changes))

    if not np.allclose(path({}), theirs, rtol=1e-12, atol=0.0):  # an option that is not written out
        return
    for words, other in regrouped(of):
        yield Alternative(words, partial(path, {}, other))
    for words, options in choices(kind, of, len(theirs) // max(len(run.gradients), 1)):
        yield Alternative(words, partial(path, options))


def _alternatives(run: Run, ours: list[Values]) -> Iterator[Alternative]:
    start = run.show(run.start)
    still = [name for name in start if all(np.array_equal(step[name], start[name]) for step in ours)]
    if 0 < len(still) < len(start) and all(name in run.gradients[0] for name in still):
        yield Alternative(f"not updated in JAX: {', '.join(still)}", partial(_frozen, run, still))
    decays = {float(group.get("weight_decay") or 0.0) for group in run.groups}
    if len(decays) > 1:
        strongest = max(decays)
        hint = "JAX decays all parameters, torch only some (biases, for example, not)"
        yield Alternative(hint, partial(run.path, tweak={"weight_decay": strongest}))
    if run.settings.get("weight_decay") and len(decays) == 1:
        yield Alternative("JAX does not decay biases, torch does", lambda: _bias_spared(run, {"weight_decay": 0.0}))
        if settings(run.training.factory, run.start)[0] not in DIRECTIONS or not run.settings.get("betas"):
            yield from _decays(run, run.settings["weight_decay"])
    if run.settings.get("momentum"):
        yield from _momenta(run, run.settings["momentum"])
    for _, words, options in own_options(run.settings):
        yield Alternative(f"JAX has {words}", partial(run.path, tweak=options))
    if run.training.step is not plain_step:
        yield from _own_steps(run)
    kept = run.settings.get("momentum")
    for factor in _RATE_FACTORS:
        what = "the other sign" if factor < 0 else f"{factor:g} times the learning rate"
        averaged = kept and np.isclose(factor, 1 - kept)
        also = ", or averages gradients: (1 - momentum) g from the first step on" if averaged else ""
        yield Alternative(f"JAX has {what}{also}", partial(_with_rate, run, factor))


def _decays(run: Run, decay: float) -> Iterator[Alternative]:
    """Weight decay in another place, or none."""
    undecayed = {"weight_decay": 0.0}
    to_step = "decay after momentum: JAX adds weight_decay * p to the step, not to the gradient"
    to_update = "decay after lr: JAX adds weight_decay * p to the update, without learning rate and sign"
    from_parameter = "decay after lr: JAX subtracts weight_decay * p from p, without the learning rate"
    for hint, factor in (
        (to_step, lambda lr: -lr * decay),
        (to_update, lambda lr: decay),
        (from_parameter, lambda lr: -decay),
    ):

        def after(optimizer: Any, old: torch.Tensor, new: torch.Tensor, factor: Any = factor) -> torch.Tensor:
            return new + factor(optimizer.param_groups[0]["lr"]) * old

        yield Alternative(hint, partial(run.path, tweak=undecayed, after=after))
    yield Alternative("weight decay is missing in JAX", lambda: run.path(tweak=undecayed))


def _momenta(run: Run, momentum: float) -> Iterator[Alternative]:
    """No momentum, or of another kind."""
    yield Alternative("momentum is missing in JAX", lambda: run.path(tweak={"momentum": 0.0, "nesterov": False}))
    is_wanted = not run.settings.get("nesterov", False)
    hint = "JAX has nesterov momentum, torch not" if is_wanted else "JAX has no nesterov momentum, torch has"
    yield Alternative(hint, lambda: run.path(tweak={"nesterov": is_wanted, "dampening": 0.0}))
    for dampening in (0.0, momentum):
        tweak = {"dampening": dampening, "nesterov": False}
        yield Alternative(f"matches with dampening={dampening:g}", partial(run.path, tweak=tweak))
    if not np.isclose(1 - momentum, _RATE_FACTORS).any():  # otherwise it is the same as another rate
        damped = [{n: (1 - momentum) * g for n, g in step.items()} for step in run.gradients]
        hint = "JAX averages gradients: (1 - momentum) g from the first step on"
        yield Alternative(hint, lambda: run._replace(gradients=damped).path(tweak={"dampening": 0.0}))


def _own_steps(run: Run) -> Iterator[Alternative]:
    """What torch's own step does besides `optimizer.step()`, left out or done at another step."""
    yield Alternative("JAX does not clip the gradients, torch does", partial(_unclipped, run))
    yield Alternative("JAX's learning rate stays as it begins, torch's follows a schedule", partial(_rates, run, None))
    for shift, way in ((1, "ahead of"), (-1, "behind")):
        hint = f"schedule off by one: JAX's learning rate is one step {way} torch's"
        yield Alternative(hint, partial(_rates, run, shift))


def _unclipped(run: Run) -> np.ndarray:
    with (
        mock.patch.object(torch.nn.utils, "clip_grad_norm_"),
        mock.patch.object(torch.nn.utils, "clip_grad_value_"),
    ):
        return run.path()


def _rates(run: Run, shift: int | None) -> np.ndarray:
    """With the learning rates of other steps; without a shift, with the first."""
    rates: list[float] = []

    def note(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])

    def change(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        done = next(number)
        for group in optimizer.param_groups:
            group["lr"] = rates[0 if shift is None else max(done + shift, 0)]

    def hooked(hook: Any, gradients: list[Values]) -> np.ndarray:
        def factory(params: Any) -> torch.optim.Optimizer:
            optimizer = run.training.factory(params)
            optimizer.register_step_pre_hook(hook)
            return optimizer

        return run._replace(training=run.training._replace(factory=factory), gradients=gradients).path()

    hooked(note, [*run.gradients, run.gradients[-1]])
    number = count()
    return hooked(change, run.gradients)


def _frozen(run: Run, names: list[str]) -> np.ndarray:
    masked = [{n: np.zeros_like(g) if n in names else g for n, g in step.items()} for step in run.gradients]
    frozen = {name: run.start[name] for name in names}
    return run.flat([step | frozen for step in torch_path(run.training, run.module, masked)])


def _with_rate(run: Run, factor: float) -> np.ndarray:
    if factor < 0:
        return run._replace(gradients=[{n: -g for n, g in step.items()} for step in run.gradients]).path()
    return run.path(tweak={"lr": run.settings["lr"] * factor})


def _bias_spared(run: Run, undecayed: dict[str, Any]) -> np.ndarray:
    decayed, plain = (torch_path(run.training, run.module, run.gradients, tweak=tweak) for tweak in ({}, undecayed))
    steps = zip(decayed, plain, strict=True)
    return run.flat([{n: (p if v.ndim < 2 else d)[n] for n, v in run.start.items()} for d, p in steps])


def _flat(path: list[Values]) -> np.ndarray:
    return np.concatenate([value.ravel() for step in path for value in step.values()] or [np.zeros(0)])
