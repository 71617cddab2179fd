"""The book's networks in PyTorch, as the book writes them. D2L 7.6, 8.6. Needs `pip install jaxd2l[parity]`."""

from torch import Tensor, nn

ARCH = ((2, 64), (2, 128), (2, 256), (2, 512))


class LeNet(nn.Module):
    """D2L 7.6, as the book writes it."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.LazyConv2d(6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2)),
            *(nn.LazyConv2d(16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten()),
            *(nn.LazyLinear(120), nn.Sigmoid(), nn.LazyLinear(84), nn.Sigmoid(), nn.LazyLinear(num_classes)),
        )

    def forward(self, X: Tensor) -> Tensor:
        return self.net(X)


class Residual(nn.Module):
    """D2L 8.6.2, as the book writes it."""

    def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
        self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1, stride=strides) if use_1x1conv else None
        self.bn1 = nn.LazyBatchNorm2d()
        self.bn2 = nn.LazyBatchNorm2d()

    def forward(self, X: Tensor) -> Tensor:
        Y = nn.functional.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        Y += X
        return nn.functional.relu(Y)


class ResNet(nn.Module):
    """D2L 8.6.3, as the book writes it."""

    def __init__(self, arch: tuple[tuple[int, int], ...] = ARCH, num_classes: int = 10) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Sequential(
                *(nn.LazyConv2d(arch[0][1], kernel_size=7, stride=2, padding=3), nn.LazyBatchNorm2d(), nn.ReLU()),
                nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        for i, b in enumerate(arch):
            self.net.add_module(f"b{i + 2}", self.block(*b, first_block=(i == 0)))
        last = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes))
        self.net.add_module("last", last)

    def block(self, num_residuals: int, num_channels: int, first_block: bool = False) -> nn.Module:
        blk: list[nn.Module] = []
        for i in range(num_residuals):
            if i == 0 and not first_block:
                blk.append(Residual(num_channels, use_1x1conv=True, strides=2))
            else:
                blk.append(Residual(num_channels))
        return nn.Sequential(*blk)

    def forward(self, X: Tensor) -> Tensor:
        return self.net(X)
