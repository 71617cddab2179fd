"""When training and test data differ (D2L 4.7): how to detect it, and how to correct it by weighting examples."""

from jaxd2l.book.distribution_shift.covariate import covariate_shift_weights, fit_domain_classifier, weighted_risk
from jaxd2l.book.distribution_shift.detection import ShiftTest, shift_test
from jaxd2l.book.distribution_shift.label import label_shift_weights, target_label_distribution

__all__ = [
    "ShiftTest",
    "covariate_shift_weights",
    "fit_domain_classifier",
    "label_shift_weights",
    "shift_test",
    "target_label_distribution",
    "weighted_risk",
]


def __dir__() -> list[str]:
    return __all__
