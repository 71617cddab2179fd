"""A run's picture shows every curve on labelled axes, also while the run goes on."""

import sys
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxd2l import plots
from jaxd2l.plots import _curves
from jaxd2l.types import History, TrainState


def history(epochs: int, accuracy: float) -> History:
    values = np.linspace(2, 1, epochs).astype(np.float32)
    steps = np.repeat(values[:, None], 4, axis=1)
    return History(steps, values, values / 2, np.full(epochs, accuracy, np.float32))


def test_a_classifiers_losses_share_an_axis_and_its_accuracy_has_one_of_its_own():
    figure = plots.training_curves(history(3, 0.5), title="title")
    losses, accuracy = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["loss of each step", "train loss", "test loss", "test accuracy"]
    assert (losses.get_ylabel(), losses.get_title()) == ("loss", "title")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("epoch", "accuracy")
    lines = {line.get_label(): line for line in (*losses.get_lines(), *accuracy.get_lines())}
    assert [line.get_label() for line in accuracy.get_lines()] == ["test accuracy"]
    np.testing.assert_allclose(lines["loss of each step"].get_xdata()[[0, -1]], [0.25, 3])
    np.testing.assert_allclose(lines["train loss"].get_xdata(), [0.5, 1.5, 2.5])
    np.testing.assert_allclose(lines["test loss"].get_ydata(), [1, 0.75, 0.5])
    assert len({line.get_linestyle() for name, line in lines.items() if name != "loss of each step"}) == 3


@pytest.mark.parametrize(
    ("accuracies", "low", "high"), [([0.1, 0.101], 0.05, 0.151), ([0, 1], -0.02, 1.02), ([0.8, np.nan], 0.75, 0.85)]
)
def test_the_axis_of_the_accuracy_shows_progress_and_does_not_blow_up_noise(accuracies, low, high):
    run = history(2, 0.5)._replace(test_accuracy=np.array(accuracies, np.float32))
    assert plots.training_curves(run).axes[1].get_ylim() == pytest.approx((low, high))


@pytest.mark.parametrize("smallest", [0.9, 0.4, 0.01, 1e-5, 1e-12])
def test_a_regression_has_no_accuracy_and_a_log_scale_in_plain_numbers(smallest):
    run = history(3, np.nan)
    figure = plots.training_curves(run._replace(test_loss=np.array([1, 0.95, smallest], np.float32)))
    [axes] = figure.axes
    assert "test accuracy" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert (axes.get_yscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "epoch", "loss")
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    shown = [t.get_text() for t, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True) if low < y < high]
    assert 2 <= len(shown) <= 12
    assert all(low < float(label.replace("\N{MINUS SIGN}", "-")) < high for label in shown)


def test_a_long_title_is_wrapped_and_stays_in_the_picture():
    figure = plots.training_curves(history(2, 0.5), title="mlp on a table with a very long name: " + "and more, " * 12)
    figure.draw_without_rendering()
    assert figure.bbox.contains(*figure.axes[0].title.get_window_extent().min)
    assert figure.bbox.contains(*figure.axes[0].title.get_window_extent().max)


def test_a_run_that_diverged_can_still_be_drawn():
    figure = plots.training_curves(history(2, 0.1)._replace(train_loss=np.array([np.nan, np.inf], np.float32)))
    assert plots.png(figure).startswith(b"\x89PNG")


def test_many_epochs_have_no_markers_because_they_would_overlap():
    for epochs, marker in ((30, "o"), (31, "None")):
        assert plots.training_curves(history(epochs, 0.5)).axes[1].lines[-1].get_marker() == marker


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="the number of epochs must be at least 1, got 0"):
        plots.training_curves(history(0, 0.0))


STATE = TrainState({}, (), jnp.array(0))


class Notebook:
    """Stands for IPython in a notebook: keeps what was shown, and what replaced it."""

    version_info = (9, 0)  # matplotlib asks

    def __init__(self):
        self.display, self.shown, self.replaced = self, [], []

    def get_ipython(self):
        return self

    def __call__(self, figure, display_id):
        assert display_id is True
        self.shown.append(figure)
        return self

    def update(self, figure):
        self.replaced.append(figure)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    stand_in = Notebook()
    stand_in.display = type("display", (), {"display": staticmethod(stand_in)})
    monkeypatch.setitem(sys.modules, "IPython", stand_in)
    return stand_in


def test_a_live_plot_is_one_picture_replaced_in_place_and_kept_on_disk(notebook, tmp_path, monkeypatch):
    clock = iter(np.repeat(np.arange(10.0), 2))  # an epoch takes a second and drawing none
    monkeypatch.setattr(_curves, "time", SimpleNamespace(perf_counter=clock.__next__))
    on_epoch = plots.live_curves(3, path=tmp_path / "curves.png")
    for n in (1, 2, 3):
        assert on_epoch(STATE, history(n, 0.5)) is False
    assert (len(notebook.shown), len(notebook.replaced)) == (1, 2)
    assert notebook.replaced[-1].axes[0].get_xlim() == (0, 3)
    same = plots.training_curves(history(3, 0.5))
    same.axes[0].set_xlim(0, 3)
    assert (tmp_path / "curves.png").read_bytes() == plots.png(same)


def test_short_epochs_share_a_picture_and_the_last_one_is_drawn(notebook, monkeypatch):
    clock = iter(np.arange(0, 10**4, 1.0))  # drawing takes one second and so does an epoch
    monkeypatch.setattr(_curves, "time", SimpleNamespace(perf_counter=clock.__next__))
    on_epoch = plots.live_curves(30)
    for n in range(1, 31):
        on_epoch(STATE, history(n, 0.5))
    drawn = [len(f.axes[0].lines[1].get_xdata()) for f in notebook.shown + notebook.replaced]
    assert 2 < len(drawn) < 15
    assert drawn[-1] == 30


def test_a_live_plot_ends_training_when_on_epoch_says_so_and_draws_the_end(notebook):
    on_epoch = plots.live_curves(100, on_epoch=lambda state, history: len(history.train_loss) == 2)
    assert [on_epoch(STATE, history(n, 0.5)) for n in (1, 2)] == [False, True]
    last = (notebook.shown + notebook.replaced)[-1]
    assert len(last.axes[0].lines[1].get_xdata()) == 2
