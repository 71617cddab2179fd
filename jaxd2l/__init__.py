"""Dive into Deep Learning, chapters 2 to 8 and 12, as pure JAX functions checked against PyTorch.

Modules are imported when first named, so `import jaxd2l` costs next to nothing.

Every public function keeps one rule. Its operands come first. A `key` is the first argument of a function that always
draws, and a keyword where drawing is optional. Options are keywords, except an `axis`, which NumPy has positional, and
the one natural parameter of a function, such as the slope of `leaky_relu(x, 0.1)`. Several results come back as a
NamedTuple that unpacks, except JAX's pairs of a state and something else. One path leads to each function, and `dir()`
of a module lists its public names and nothing else.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
