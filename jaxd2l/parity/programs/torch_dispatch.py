"""What every mode of ours is that sees torch's operations one by one."""

from torch.utils._python_dispatch import TorchDispatchMode


class Dispatch(TorchDispatchMode):
    """A `TorchDispatchMode` that torch's compiler has nothing to do with, whose import alone takes a second."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False
