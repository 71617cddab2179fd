"""Accuracy and the rates of a confusion matrix (D2L 4.3) against torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jaxd2l import metrics
from jaxd2l.parity.rule import compare_meaning, require
from jaxd2l.parity.suite import metrics as suite
from jaxd2l.parity.suite import named

classes = hnp.arrays(np.int64, 12, elements=st.integers(0, 3))


@pytest.mark.parametrize("case", named("accuracy", "confusion_matrix", "rates"), ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(5))
def test_suite(case, seed):
    require(case.run(seed))


@given(classes, classes)
def test_any_confusion(predictions, labels):
    theirs = suite.book_confusion(predictions, labels, 4)
    ours = metrics.confusion_matrix(np.int32(predictions), np.int32(labels), 4)
    require([compare_meaning("confusion_matrix", theirs, np.array(ours), 1.0)])
