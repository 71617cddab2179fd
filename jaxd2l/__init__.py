"""Dive into Deep Learning, chapters 2 to 5, as pure JAX functions checked against PyTorch.

Modules are imported when first named, so `import jaxd2l` costs next to nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
