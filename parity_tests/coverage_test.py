"""What a batch does not try is said, and what it does try is not."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from jaxd2l.parity.coverage import coverage
from jaxd2l.parity.draws import Draws
from jaxd2l.parity.samples import as_samples
from jaxd2l.parity.torch_side import TorchSide, torch_side

IMAGES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.arange(6) % 4


def side(module: nn.Module, inputs, labels=LABELS, loss=functional.cross_entropy, *, train: bool = False) -> TorchSide:
    draws = Draws(0) if train else None
    return torch_side(module, as_samples((inputs, labels)), loss, torch.float32, draws=draws)


class Lambda(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args, **kwargs):
        return self.function(*args, **kwargs)


class Masked(nn.Module):
    def forward(self, x, attention_mask):
        return x.masked_fill(attention_mask == 0, -1e9)


TOKENS = np.array([[1, 2], [2, 1], [3, 1], [1, 1], [2, 2], [3, 3]])
PADDED = np.where(TOKENS == 3, 0, TOKENS)
EMBEDDING = nn.Sequential(nn.Embedding(5, 4, padding_idx=0), Lambda(lambda x: x.sum(1)))
RELU6 = nn.Sequential(nn.ReLU6())
ONES = np.ones((6, 4), np.int32)


@pytest.mark.parametrize(
    ("silent", "sentence", "spoken"),
    [
        (side(RELU6, IMAGES), "0 (ReLU6) never reached 6", side(RELU6, IMAGES * 9)),
        (side(nn.Sequential(nn.ReLU()), abs(IMAGES)), "0 (ReLU) never saw a negative number", side(nn.ReLU(), IMAGES)),
        (side(EMBEDDING, TOKENS), "0 (Embedding) never saw its padding token, 0", side(EMBEDDING, PADDED)),
        (
            side(Masked(), {"x": IMAGES, "attention_mask": ONES}),
            "the input attention_mask masks nothing",
            side(Masked(), {"x": IMAGES, "attention_mask": np.tri(6, 4, dtype=np.int32)}),
        ),
        (side(nn.Identity(), IMAGES, LABELS * 0), "all labels are of one class, 0", side(nn.Identity(), IMAGES)),
        (
            side(nn.Identity(), IMAGES, loss=lambda o, y: functional.cross_entropy(o, y, ignore_index=9)),
            "the loss (coverage_test.py:",
            side(nn.Identity(), IMAGES, loss=lambda o, y: functional.cross_entropy(o, y, ignore_index=2)),
        ),
        (
            side(type("Idle", (nn.Sequential,), {"forward": lambda self, x: x})(nn.Dropout(0.5)), IMAGES, train=True),
            "0 (Dropout) never ran",
            side(nn.Sequential(nn.Dropout(0.5)), IMAGES, train=True),
        ),
    ],
)
def test_what_does_not_happen_is_said(silent, sentence, spoken) -> None:
    assert any(sentence in said for said in coverage(silent))
    assert coverage(spoken) == ()


def test_a_function_is_named_by_its_line_and_labels_without_a_loss_do_not_matter() -> None:
    module = Lambda(lambda x: functional.relu6(x))
    probe = side(module, IMAGES, LABELS * 0, loss=lambda outputs, labels: outputs.sum())
    [sentence] = coverage(probe)
    assert sentence.startswith("hardtanh (coverage_test.py:")
    assert sentence.endswith(") never reached 6")


def test_one_batch_that_tries_it_is_enough() -> None:
    samples = as_samples([(IMAGES, LABELS), (IMAGES * 9, LABELS)])
    assert coverage(torch_side(RELU6, samples, functional.cross_entropy, torch.float32)) == ()
