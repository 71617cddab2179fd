"""A torch program run with its calls kept, or with some of them replaced."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from jaxd2l.parity.replacements.formulas import FORMULAS
from jaxd2l.parity.replacements.sites import Change, Program, Site

_SPELLINGS = {"truediv": "div", "divide": "div", "multiply": "mul", "subtract": "sub", "radd": "add", "rmul": "mul",
              "iadd": "add", "imul": "mul", "isub": "sub", "itruediv": "div", "rtruediv": "rdiv",
              "bmm": "matmul", "mm": "matmul", "rmatmul": "matmul", "view": "reshape", "swapaxes": "transpose",
              "negative": "neg", "concat": "cat", "concatenate": "cat"}  # fmt: skip
_QUIET = frozenset("clone contiguous detach_ requires_grad_ numpy cpu float double to type size dim copy_".split())  # noqa: SIM905


def record(compute: Callable[[], Any], module: torch.nn.Module) -> Program:
    """The calls that `compute()` makes.

    Args:
      compute: runs a program.
      module: names the parts of the program.
    """
    with _Watching({}) as watching, _inside(module, watching.path):
        compute()
    own = frozenset(map(id, (*module.parameters(), *module.buffers())))
    return Program({site.number: site for site in watching.sites}, own)


def changed(compute: Callable[[], Any], changes: Mapping[int, Change]) -> Any:
    """What `compute()` gives with some of its calls replaced."""
    with _Watching(changes):
        return compute()


@contextmanager
def _inside(module: torch.nn.Module, path: list[str]) -> Iterator[None]:
    """While active, `path` ends with the name of the module that runs."""
    with ExitStack() as handles:
        for name, part in module.named_modules():
            if name and not isinstance(part, torch.jit.ScriptModule):
                before = part.register_forward_pre_hook(lambda *_, name=name: path.append(name))
                after = part.register_forward_hook(lambda *_: path.pop() and None)
                handles.callback(before.remove)
                handles.callback(after.remove)
        yield


class _Watching(TorchFunctionMode):
    """While active, counts and keeps calls, and replaces some."""

    def __init__(self, changes: Mapping[int, Change]) -> None:
        super().__init__()
        self.changes, self.count = changes, 0
        self.sites: list[Site] = []
        self.kept: list[torch.Tensor] = []
        self.path = [""]
        self.makers: dict[int, int] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not args and "input" in kwargs:  # one way to call is enough for whoever looks at the calls
            args, kwargs = (kwargs["input"],), {name: x for name, x in kwargs.items() if name != "input"}
        name = _spelled(func)
        if name == "set_grad_enabled":  # where a change has moved the count, it would be replaced and stay switched off
            return func(*args, **kwargs)
        if name in FORMULAS:  # taken apart here, so that what is inside can be replaced, too
            with self:
                return FORMULAS[name](*args, **kwargs)
        self.count += 1
        number = self.count
        if number in self.changes:
            return self.changes[number](*args, **kwargs)
        output = func(*args, **kwargs)
        made = [x for x in tree_leaves(output) if isinstance(x, torch.Tensor)]
        if not self.changes and made:
            self._keep(number, name, func, args, kwargs, output, made)
        return output

    def _keep(self, number: int, name: str, func: Any, args: Any, kwargs: Any, output: Any, made: Any) -> None:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        sources = tuple({self.makers[id(x)]: None for x in given if id(x) in self.makers})
        self.kept += made  # an id is another tensor's once its tensor is gone
        if name in _QUIET:
            self.makers |= {id(x): sources[0] for x in made if sources}
            return
        self.makers |= {id(x): number for x in made}
        self.sites.append(Site(number, name, func, args, kwargs, output, self.path[-1], sources))


def _spelled(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        name = function.__self__.__name__
    name = name.strip("_")
    return _SPELLINGS.get(name, name)
