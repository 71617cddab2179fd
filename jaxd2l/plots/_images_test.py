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
