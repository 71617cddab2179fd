"""Pictures: lines, training curves, grids of images, heat maps, confusion matrices. Each function returns a Figure.

Only `live_curves` displays anything: it draws a run while it goes on. `png` and `svg` turn a figure into a file.
"""

from jaxd2l.plots._curves import live_curves, training_curves
from jaxd2l.plots._figures import png, svg
from jaxd2l.plots._heat_maps import confusion_matrix, heat_map
from jaxd2l.plots._images import image_grid
from jaxd2l.plots._lines import STYLES, lines

__all__ = [
    "STYLES",
    "confusion_matrix",
    "heat_map",
    "image_grid",
    "lines",
    "live_curves",
    "png",
    "svg",
    "training_curves",
]


def __dir__() -> list[str]:
    return __all__
