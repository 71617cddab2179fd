"""Models as pairs of pure functions, from scratch and as Flax modules, and what they are made of (D2L 3 to 7).

Flax is imported when one of its models is first named.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
