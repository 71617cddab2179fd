"""Layers: parts of a network whose sizes follow from their inputs, and what puts them together (D2L 6.1 to 6.5)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
