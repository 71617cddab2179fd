"""Training (D2L 3.2, 3.4.5, 4.3): a step, an epoch that is one compiled program, a run, and what surrounds one.

`fit` and its parts are here; `checkpoint`, `divergence`, `processes`, `sharding` and `sweep` are modules of their own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
