"""What only training mode shows: dropout, batch statistics, running averages."""

from flax import linen
from torch import nn

from jaxd2l.parity import take
from parity_tests.causes.settings import Defect, Setting, normal

X = normal(8, 6) + 1


class Normalised(linen.Module):
    """Linear, batch norm, relu, dropout, linear."""

    momentum: float = 0.9
    eps: float = 1e-5
    rate: float = 0.4
    frozen: bool = False
    late: bool = False

    @linen.compact
    def __call__(self, x, train: bool = False):
        average = self.frozen or not train
        x = linen.BatchNorm(average, momentum=self.momentum, epsilon=self.eps, use_fast_variance=False)(
            linen.Dense(5)(x)
        )
        x = linen.relu(x)
        return linen.Dense(3)(linen.Dropout(self.rate, deterministic=not train)(x))


NORMALISED = {
    "params.Dense_0.kernel": take("0.weight").T,
    "params.Dense_0.bias": take("0.bias"),
    "params.BatchNorm_0.scale": take("1.weight"),
    "params.BatchNorm_0.bias": take("1.bias"),
    "batch_stats.BatchNorm_0.mean": take("1.running_mean"),
    "batch_stats.BatchNorm_0.var": take("1.running_var"),
    "params.Dense_1.kernel": take("4.weight").T,
    "params.Dense_1.bias": take("4.bias"),
}


def normalised() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.4), nn.Linear(5, 3))


class Dropped(linen.Module):
    """A dropout without norms, so that a right port passes."""

    rate: float = 0.25
    factor: float = 1.0

    @linen.compact
    def __call__(self, x, train: bool = False):
        x = linen.relu(linen.Dense(5)(x))
        x = linen.Dropout(self.rate, deterministic=not train)(x)
        return linen.Dense(3)(x * self.factor)


DROPPED_WEIGHTS = {
    "params.Dense_0.kernel": take("0.weight").T,
    "params.Dense_0.bias": take("0.bias"),
    "params.Dense_1.kernel": take("3.weight").T,
    "params.Dense_1.bias": take("3.bias"),
}


def in_training(module, port, weights):
    """A setting whose JAX side is a Linen module with options."""
    return Setting(module, port, X, {"mode": "train", "weights": weights})


NORMED = in_training(normalised, Normalised, NORMALISED)
DROPPED = in_training(
    lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.25), nn.Linear(5, 3)), Dropped, DROPPED_WEIGHTS
)

DEFECTS = [
    Defect("training", name, words, setting, options)
    for setting, name, words, options in (
        (NORMED, "Flax's biased running variance", "n/(n-1)&biased", {}),
        (NORMED, "torch's momentum given to Flax", "momentum convention", {"momentum": 0.1}),
        (NORMED, "momentum 0.99", "0.01 of the batch", {"momentum": 0.99}),
        (NORMED, "running averages in training mode", "running statistics&running averages", {"frozen": True}),
        (NORMED, "eps 1e-3 in training mode", "eps=0.001", {"eps": 1e-3}),
        (NORMED, "no dropout beside a norm", "dropout&missing", {"rate": 0.0}),
        (DROPPED, "no dropout", "dropout&missing", {"rate": 0.0}),
        (DROPPED, "dropout 0.5", "dropout rate&0.5", {"rate": 0.5}),
        (DROPPED, "the share that is kept for the rate", "dropout rate&share", {"rate": 0.75}),
        (DROPPED, "not rescaled", "dropout&rescaled", {"factor": 0.75}),
    )
]
