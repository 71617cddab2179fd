"""Every image stands under its title."""

import numpy as np
import pytest

from jaxd2l import plots


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


@pytest.mark.parametrize(("size", "interpolation"), [(8, "bicubic"), (28, "nearest")])
def test_few_pixels_are_drawn_smoothly_and_many_as_they_are(size, interpolation):
    [axes] = plots.image_grid(np.zeros((1, size, size, 1))).axes
    assert axes.get_images()[0].get_interpolation() == interpolation


@pytest.mark.parametrize("count", [1, 8])
def test_the_title_stands_above_all_and_is_not_cut_off(count):
    figure = plots.image_grid(
        np.zeros((count, 8, 8, 1)), titles=["true"] * count, title="1529 of 10000 wrong; the first 32"
    )
    figure.draw_without_rendering()
    above = figure._suptitle.get_window_extent()
    assert above.y0 > max(axes.title.get_window_extent().y1 for axes in figure.axes)
    assert figure.bbox.x0 <= above.x0 < above.x1 <= figure.bbox.x1
    assert above.y1 <= figure.bbox.y1
