"""Datasets as NumPy arrays, and the order in which an epoch visits them (D2L 3.3, 4.2, 5.7, 12.5)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
