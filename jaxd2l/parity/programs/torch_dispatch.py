"""What every mode of ours is that sees torch's operations one by one."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Dispatch(TorchDispatchMode):
    """A `TorchDispatchMode` that torch's compiler has nothing to do with, whose import alone takes a second."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class ModuleDispatch(Dispatch, ABC):
    """One that is also told when a part of a module begins and ends. Scripted parts say nothing.

    parts: the parts by their names, the module itself under "".
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.parts = {n: m for n, m in module.named_modules() if not isinstance(m, torch.jit.ScriptModule)}

    def __enter__(self) -> Any:
        self.handles = [m.register_forward_pre_hook(self.begins) for m in self.parts.values()]
        self.handles += [m.register_forward_hook(self.ends, always_call=True) for m in self.parts.values()]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self.handles:
            handle.remove()

    @abstractmethod
    def begins(self, module: torch.nn.Module, args: Any) -> None:
        """Called before a part runs."""

    @abstractmethod
    def ends(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        """Called after a part has run, or has failed."""
