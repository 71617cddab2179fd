"""The networks of chapter 8 in torch, as the book writes them. Sizes are arguments, so that tests may be small."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as in the book
from torch.nn.modules.batchnorm import _BatchNorm

from jaxd2l._files import named_leaves
from jaxd2l.bench.torch_networks import ResNet
from jaxd2l.data import epoch_indices
from jaxd2l.parity import take
from jaxd2l.types import Batch, StatefulModel


def alexnet(channels: Any = (96, 256, 384, 384, 256), num_hiddens: int = 4096, num_classes: int = 10) -> nn.Module:
    """D2L 8.1."""
    a, b, c, d, e = channels
    return nn.Sequential(
        nn.LazyConv2d(a, kernel_size=11, stride=4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.LazyConv2d(b, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.LazyConv2d(c, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.LazyConv2d(d, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.LazyConv2d(e, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Flatten(),
        nn.LazyLinear(num_hiddens),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.LazyLinear(num_hiddens),
        nn.ReLU(),
        nn.Dropout(p=0.5),
        nn.LazyLinear(num_classes),
    )


def vgg_block(num_convs: int, out_channels: int) -> nn.Module:
    """D2L 8.2."""
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers.append(nn.LazyConv2d(out_channels, kernel_size=3, padding=1))
        layers.append(nn.ReLU())
    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def vgg(arch: Any, num_hiddens: int = 4096, num_classes: int = 10) -> nn.Module:
    """D2L 8.2."""
    conv_blks = [vgg_block(num_convs, out_channels) for num_convs, out_channels in arch]
    return nn.Sequential(
        *conv_blks,
        nn.Flatten(),
        nn.LazyLinear(num_hiddens),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.LazyLinear(num_hiddens),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.LazyLinear(num_classes),
    )


def nin_block(out_channels: int, kernel_size: int, strides: int, padding: int) -> nn.Module:
    """D2L 8.3."""
    return nn.Sequential(
        nn.LazyConv2d(out_channels, kernel_size, strides, padding),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1),
        nn.ReLU(),
    )


def nin(channels: Any = (96, 256, 384), num_classes: int = 10) -> nn.Module:
    """D2L 8.3."""
    a, b, c = channels
    return nn.Sequential(
        nin_block(a, kernel_size=11, strides=4, padding=0),
        nn.MaxPool2d(3, stride=2),
        nin_block(b, kernel_size=5, strides=1, padding=2),
        nn.MaxPool2d(3, stride=2),
        nin_block(c, kernel_size=3, strides=1, padding=1),
        nn.MaxPool2d(3, stride=2),
        nn.Dropout(0.5),
        nin_block(num_classes, kernel_size=3, strides=1, padding=1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )


class Inception(nn.Module):
    """D2L 8.4."""

    def __init__(self, c1: int, c2: Any, c3: Any, c4: int) -> None:
        super().__init__()
        self.b1_1 = nn.LazyConv2d(c1, kernel_size=1)
        self.b2_1 = nn.LazyConv2d(c2[0], kernel_size=1)
        self.b2_2 = nn.LazyConv2d(c2[1], kernel_size=3, padding=1)
        self.b3_1 = nn.LazyConv2d(c3[0], kernel_size=1)
        self.b3_2 = nn.LazyConv2d(c3[1], kernel_size=5, padding=2)
        self.b4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.b4_2 = nn.LazyConv2d(c4, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        b1 = F.relu(self.b1_1(x))
        b2 = F.relu(self.b2_2(F.relu(self.b2_1(x))))
        b3 = F.relu(self.b3_2(F.relu(self.b3_1(x))))
        b4 = F.relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


def googlenet(width: float = 1.0, num_classes: int = 10) -> nn.Module:
    """D2L 8.4."""

    def s(channels: int) -> int:
        return max(1, round(width * channels))

    def block(c1: int, c2: Any, c3: Any, c4: int) -> Inception:
        return Inception(s(c1), (s(c2[0]), s(c2[1])), (s(c3[0]), s(c3[1])), s(c4))

    b1 = nn.Sequential(
        nn.LazyConv2d(s(64), kernel_size=7, stride=2, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    b2 = nn.Sequential(
        nn.LazyConv2d(s(64), kernel_size=1),
        nn.ReLU(),
        nn.LazyConv2d(s(192), kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    b3 = nn.Sequential(
        block(64, (96, 128), (16, 32), 32),
        block(128, (128, 192), (32, 96), 64),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    b4 = nn.Sequential(
        block(192, (96, 208), (16, 48), 64),
        block(160, (112, 224), (24, 64), 64),
        block(128, (128, 256), (24, 64), 64),
        block(112, (144, 288), (32, 64), 64),
        block(256, (160, 320), (32, 128), 128),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    b5 = nn.Sequential(
        block(256, (160, 320), (32, 128), 128),
        block(384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )
    return nn.Sequential(b1, b2, b3, b4, b5, nn.LazyLinear(num_classes))


def bn_lenet(num_classes: int = 10) -> nn.Module:
    """D2L 8.5."""
    return nn.Sequential(
        nn.LazyConv2d(6, kernel_size=5),
        nn.LazyBatchNorm2d(),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.LazyConv2d(16, kernel_size=5),
        nn.LazyBatchNorm2d(),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.LazyLinear(120),
        nn.LazyBatchNorm1d(),
        nn.Sigmoid(),
        nn.LazyLinear(84),
        nn.LazyBatchNorm1d(),
        nn.Sigmoid(),
        nn.LazyLinear(num_classes),
    )


def resnet(arch: Any, num_classes: int = 10) -> nn.Module:
    """D2L 8.6."""
    net: nn.Module = ResNet(arch, num_classes).net
    return net


class ResNeXtBlock(nn.Module):
    """D2L 8.6.5. The argument `groups` is a group's width."""

    def __init__(
        self, num_channels: int, groups: int, bot_mul: float, use_1x1conv: bool = False, strides: int = 1
    ) -> None:
        super().__init__()
        bot_channels = round(num_channels * bot_mul)
        self.conv1 = nn.LazyConv2d(bot_channels, kernel_size=1, stride=1)
        self.conv2 = nn.LazyConv2d(
            bot_channels, kernel_size=3, stride=strides, padding=1, groups=bot_channels // groups
        )
        self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1, stride=1)
        self.bn1 = nn.LazyBatchNorm2d()
        self.bn2 = nn.LazyBatchNorm2d()
        self.bn3 = nn.LazyBatchNorm2d()
        if use_1x1conv:
            self.conv4 = nn.LazyConv2d(num_channels, kernel_size=1, stride=strides)
            self.bn4 = nn.LazyBatchNorm2d()
        else:
            self.conv4 = None

    def forward(self, X: Tensor) -> Tensor:  # as in the book
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = F.relu(self.bn2(self.conv2(Y)))
        Y = self.bn3(self.conv3(Y))
        if self.conv4:
            X = self.bn4(self.conv4(X))
        return F.relu(Y + X)


def conv_block(num_channels: int) -> nn.Module:
    """D2L 8.7."""
    return nn.Sequential(nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(num_channels, kernel_size=3, padding=1))


class DenseBlock(nn.Module):
    """D2L 8.7."""

    def __init__(self, num_convs: int, num_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*(conv_block(num_channels) for _ in range(num_convs)))

    def forward(self, X: Tensor) -> Tensor:  # as in the book
        for blk in self.net:
            Y = blk(X)
            X = torch.cat((X, Y), dim=1)
        return X


def transition_block(num_channels: int) -> nn.Module:
    """D2L 8.7."""
    return nn.Sequential(
        nn.LazyBatchNorm2d(),
        nn.ReLU(),
        nn.LazyConv2d(num_channels, kernel_size=1),
        nn.AvgPool2d(kernel_size=2, stride=2),
    )


def densenet(
    num_channels: int = 64, growth_rate: int = 32, arch: Any = (4, 4, 4, 4), num_classes: int = 10
) -> nn.Module:
    """D2L 8.7."""
    net = nn.Sequential(
        nn.Sequential(
            nn.LazyConv2d(num_channels, kernel_size=7, stride=2, padding=3),
            nn.LazyBatchNorm2d(),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )
    )
    for i, num_convs in enumerate(arch):
        net.add_module(f"dense_blk{i + 1}", DenseBlock(num_convs, growth_rate))
        num_channels += num_convs * growth_rate
        if i != len(arch) - 1:
            num_channels //= 2
            net.add_module(f"tran_blk{i + 1}", transition_block(num_channels))
    net.add_module(
        "last",
        nn.Sequential(
            nn.LazyBatchNorm2d(), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes)
        ),
    )
    return net


def anynet(stem_channels: int, arch: Any, num_classes: int = 10) -> nn.Module:
    """D2L 8.8."""
    net = nn.Sequential(
        nn.Sequential(nn.LazyConv2d(stem_channels, kernel_size=3, stride=2, padding=1), nn.LazyBatchNorm2d(), nn.ReLU())
    )
    for i, (depth, num_channels, groups, bot_mul) in enumerate(arch):
        blk = [
            ResNeXtBlock(num_channels, groups, bot_mul, use_1x1conv=True, strides=2)
            if j == 0
            else ResNeXtBlock(num_channels, groups, bot_mul)
            for j in range(depth)
        ]
        net.add_module(f"stage{i + 1}", nn.Sequential(*blk))
    net.add_module("head", nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes)))
    return net


def built(make: Callable[[], nn.Module], *shape: int) -> nn.Module:
    """The module with its lazy sizes fixed, drawn from seed 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make()
        net(torch.randn(*shape))
        return net


def weights(net: nn.Module, variables: Any) -> dict[str, Any]:
    """Ours from torch's: convolutions and dense layers stand in one order on both sides, and so do the norms."""
    norms = [name for name, module in net.named_modules() if isinstance(module, _BatchNorm)]
    products = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    ours = list(named_leaves(variables))

    def places(leaf: str) -> list[str]:
        return [name.removesuffix(leaf) for name in ours if name.endswith(leaf)]

    found = {}
    for here, there in zip(places("kernel"), products, strict=True):
        found |= {f"{here}kernel": take(f"{there}.weight").T, f"{here}bias": take(f"{there}.bias")}
    for here, there in zip(places("scale"), norms, strict=True):
        found |= {f"{here}scale": take(f"{there}.weight"), f"{here}bias": take(f"{there}.bias")}
    for here, there in zip(places("mean"), norms, strict=True):
        found |= {f"{here}mean": take(f"{there}.running_mean"), f"{here}var": take(f"{there}.running_var")}
    return found


def variables(model: Any) -> Any:
    """What `parity.check` calls the arrays of a model."""
    made = jax.eval_shape(model.init, jax.random.key(0))
    return {"params": made[0], "state": made[1]} if isinstance(model, StatefulModel) else made


def trained(net: nn.Module, train: Batch, key: jax.Array, *, learning_rate: float, batch_size: int) -> list[float]:
    """One epoch on the batches that `train.fit` draws with this key: the loss of every step."""
    optimizer, step_losses = torch.optim.SGD(net.parameters(), learning_rate), []
    x, y = as_torch(train)
    for batch in map(torch.tensor, map(np.array, epoch_indices(key, 0, len(x), batch_size))):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        step_losses.append(loss.item())
    return step_losses


def as_torch(batch: Batch) -> tuple[Tensor, Tensor]:
    """Images from 0 to 1, channels first, and labels."""
    x = torch.tensor(np.array(batch.inputs)).permute(0, 3, 1, 2).float() / 255
    return x, torch.tensor(np.array(batch.labels)).long()
