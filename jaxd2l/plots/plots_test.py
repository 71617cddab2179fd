"""The pictures show what they promise: labelled axes, every curve, every image under its title."""

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


def test_a_classifier_has_four_curves_and_labelled_axes():
    [axes] = plots.training_curves(history(3, 0.5), title="title").axes
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["loss of each step", "train loss", "test loss", "test accuracy"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "loss, accuracy", "title")
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(lines["loss of each step"].get_xdata()[[0, -1]], [0.25, 3])
    np.testing.assert_allclose(lines["train loss"].get_xdata(), [0.5, 1.5, 2.5])
    np.testing.assert_allclose(lines["test loss"].get_ydata(), [1, 0.75, 0.5])
    assert len({line.get_linestyle() for name, line in lines.items() if name != "loss of each step"}) == 3


def test_a_regression_has_no_accuracy_and_a_log_scale():
    [axes] = plots.training_curves(history(2, np.nan)).axes
    assert "test accuracy" not in [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert axes.get_yscale() == "log"


def test_a_run_that_diverged_can_still_be_drawn():
    figure = plots.training_curves(history(2, 0.1)._replace(train_loss=np.array([np.nan, np.inf], np.float32)))
    assert plots.png(figure).startswith(b"\x89PNG")


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="the number of epochs must be at least 1, got 0"):
        plots.training_curves(history(0, 0.0))


@pytest.mark.parametrize("shape", [(5, 8, 8, 1), (1, 8, 8, 3), (17, 4, 6, 1)])
def test_every_image_stands_under_its_title(shape):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    titles = [f"image {i}" for i in range(len(images))]
    figure = plots.image_grid(images, titles=titles)
    assert [axes.get_title() for axes in figure.axes] == titles
    for axes, image in zip(figure.axes, images, strict=True):
        np.testing.assert_array_equal(axes.get_images()[0].get_array(), image.squeeze())


@pytest.mark.bad_input
@pytest.mark.parametrize("shape", [(0, 8, 8, 1), (8, 8, 1), (2, 8, 8, 2)])
def test_anything_but_a_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match="images must have shape"):
        plots.image_grid(np.zeros(shape))


def test_a_missing_title_is_refused():
    with pytest.raises(ValueError, match="1 titles for 2 images"):
        plots.image_grid(np.zeros((2, 4, 4, 1)), titles=["one"])


def test_lines_can_be_distinguished_without_colour():
    figure = plots.lines(np.arange(40), {str(i): np.full(40, i) for i in range(6)}, xlabel="x", ylabel="y")
    styles = [line.get_linestyle() + str(line._dash_pattern) for line in figure.axes[0].lines]
    assert len(set(styles)) == 6
    assert len(figure.legends) == 1
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "y")


def test_whole_numbers_get_whole_numbers_on_their_axis():
    def ticks(x, **scales):
        axes = plots.lines(x, {"y": np.ones(20)}, xlabel="x", ylabel="y", **scales).axes[0]
        return axes.get_xticks()

    assert all(tick == round(tick) for tick in ticks(np.arange(1, 21)))  # matplotlib's own are 2.5, 5, 7.5, ...
    assert any(tick != round(tick) for tick in ticks(np.arange(1.0, 21.0)))
    assert {10.0, 100.0} <= set(ticks(10 * np.arange(1, 21), xscale="log"))


def test_many_points_have_no_markers_because_they_would_overlap():
    for n, marker in ((30, "o"), (31, "None")):
        for figure in (
            plots.lines(np.arange(n), {str(i): np.full(n, i) for i in range(3)}, xlabel="x", ylabel="y"),
            plots.training_curves(history(n, 0.5)),
        ):
            assert figure.axes[0].lines[-1].get_marker() == marker


@pytest.mark.parametrize("ys", [{}, {str(i): np.zeros(3) for i in range(7)}, {"short": np.zeros(2)}])
def test_lines_that_cannot_be_drawn_are_refused(ys):
    with pytest.raises(
        ValueError, match=r"number of lines must be a whole number from 1 to 6|x and ys\['short'\] must have"
    ):
        plots.lines(np.zeros(3), ys, xlabel="x", ylabel="y")


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


def test_a_heat_map_prints_every_number_and_hatches_nan():
    figure = plots.heat_map(
        np.array([[0.1, np.nan], [0.3, 0.9]]), x=["a", "b"], y=["0", "1"], xlabel="lr", ylabel="seed", label="accuracy"
    )
    axes, colours = figure.axes
    assert [text.get_text() for text in axes.texts] == ["0.100", "nan", "0.300", "0.900"]
    assert [text.get_color() for text in axes.texts] == ["white", "black", "white", "black"]
    assert (axes.get_xlabel(), axes.get_ylabel(), colours.get_ylabel()) == ("lr", "seed", "accuracy")
    assert axes.images[0].get_array().mask.tolist() == [[False, True], [False, False]]
    plots.png(figure)
    assert plots.png(plots.heat_map(np.full((1, 1), np.nan), x=["a"], y=["b"], xlabel="", ylabel="", label=""))


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.zeros((0, 2)), np.zeros(2)])
@pytest.mark.bad_input
def test_a_heat_map_needs_a_number_for_each_pair_of_names(values):
    with pytest.raises(ValueError, match="values must"):
        plots.heat_map(values, x=["a", "b"], y=["0"] * (len(values) % 3), xlabel="", ylabel="", label="")
