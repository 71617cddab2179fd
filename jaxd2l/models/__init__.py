"""Models as pairs of pure functions, written from scratch and as Flax modules (D2L 3.1 to 3.5, 4.1 to 4.5, 5.1 to 5.6).

Flax is imported when one of its models is first named.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
