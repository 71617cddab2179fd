"""How far roundings carry through a perceptron: condition scales by running error analysis, in NumPy float64.

Each value carries its error in roundings: what it inherits through the derivative of each step, plus the
magnitudes that the step itself combines. All first order, all sums of magnitudes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from jaxd2l.parity.suite.activations import ELEMENTWISE, softmax_terms
from jaxd2l.parity.suite.comparing import Numbers

Arrays = Sequence[Numbers]


def pre_activations(x: Numbers, parameters: Arrays, activation: str) -> Iterator[tuple[Numbers, Numbers]]:
    """What goes into each activation, and its error."""
    for inputs, weight, bias in _walk(x, parameters, activation):
        yield _affine(*inputs, weight, bias)


def outputs(x: Numbers, parameters: Arrays, activation: str) -> tuple[Numbers, Numbers]:
    """What comes out of the last layer, and its error."""
    *_, (inputs, weight, bias) = _walk(x, parameters, activation, last=True)
    return _affine(*inputs, weight, bias)


def perceptron_scale(c: Numbers, x: Numbers, parameters: Arrays, activation: str) -> list[Numbers]:
    """Condition scale of the outputs, and of the gradients of x and of each parameter for the cotangent `c`."""
    _, error = outputs(x, parameters, activation)
    return [error, *gradients(c, np.zeros_like(c), x, parameters, activation)]


def gradients(g: Numbers, g_error: Numbers, x: Numbers, parameters: Arrays, activation: str) -> list[Numbers]:
    """Condition scale of the gradients of x and of each parameter, from the outputs' gradient and its error."""
    scales: list[Numbers] = []
    layers = list(_walk(x, parameters, activation, last=True))
    for depth, ((h, h_error), weight, _) in reversed(list(enumerate(layers))):
        size = np.abs(g)
        of_weight = g_error.T @ np.abs(h) + size.T @ (np.abs(h) + h_error)
        scales = [of_weight, np.sum(size + g_error, 0), *scales]
        g, g_error = g @ weight, (g_error + size) @ np.abs(weight)
        if depth:
            (below, below_error), below_weight, below_bias = layers[depth - 1]
            a, a_error = _affine(below, below_error, below_weight, below_bias)
            _, slope, curvature = _derivatives(activation, a)
            slope_error = np.abs(curvature) * a_error + ELEMENTWISE[activation].scale(np.ones_like(a), a)[1]
            g, g_error = g * slope, g_error * np.abs(slope) + np.abs(g) * slope_error
    return [g_error, *scales]


def cross_entropy_gradient(logits: Numbers, error: Numbers, labels: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Mean cross-entropy: scale of the loss, gradient of the logits `(p - onehot) / n`, and its error."""
    n = len(logits)
    p, p_error, cost_error = softmax_terms(logits)
    own = np.arange(logits.shape[-1]) == labels[:, None]
    inherited = p * (error + np.sum(p * error, -1, keepdims=True))
    loss = np.sum(np.where(own, cost_error + error, 0) + p * error) / n
    return loss, (p - own) / n, (inherited + p * p_error + own) / n


def squared_loss_gradient(predictions: Numbers, error: Numbers, targets: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Mean of half the squared error: scale of the loss, gradient of the predictions, and its error."""
    n = predictions.size
    difference = predictions - targets
    return (
        np.sum(difference**2 + np.abs(difference) * error) / n,
        difference / n,
        (error + np.abs(difference)) / n,
    )


def _walk(
    x: Numbers, parameters: Arrays, activation: str, *, last: bool = False
) -> Iterator[tuple[tuple[Numbers, Numbers], Numbers, Numbers]]:
    """Inputs with their error, weight and bias of each layer; of each hidden layer alone unless `last`."""
    h, error = x, np.zeros_like(x)
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    for i, (weight, bias) in enumerate(layers):
        if last or i + 1 < len(layers):
            yield (h, error), weight, bias
        a, a_error = _affine(h, error, weight, bias)
        h, slope, _ = _derivatives(activation, a)
        error = np.abs(slope) * a_error + ELEMENTWISE[activation].scale(np.ones_like(a), a)[0]


def _affine(h: Numbers, error: Numbers, weight: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
    return h @ weight.T + bias, (error + np.abs(h)) @ np.abs(weight).T + np.abs(bias)


def _derivatives(activation: str, a: Numbers) -> list[Numbers]:
    """Value, first and second derivative."""
    x = torch.tensor(a, requires_grad=True)
    y = ELEMENTWISE[activation].torch(x)
    (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    if not slope.requires_grad:  # a kinked line
        return [y.detach().numpy(), slope.numpy(), np.zeros_like(a)]
    (curvature,) = torch.autograd.grad(slope.sum(), x, materialize_grads=True, allow_unused=True)
    return [t.detach().numpy() for t in (y, slope, curvature)]
