"""`%%torch` in a notebook: a cell that runs where PyTorch is installed, and says so where it is not.

%load_ext jaxd2l.parity.notebook
"""

import importlib
from typing import Any

_LEFT_OUT = "This cell needs PyTorch, which is not installed: pip install 'jaxd2l[parity]'"


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext` calls."""
    shell.input_transformers_cleanup.append(only_with_torch)


def only_with_torch(lines: list[str]) -> list[str]:
    """The lines of a cell; of one that begins with `%%torch`, without PyTorch, a sentence in their place.

    >>> only_with_torch(["1 + 1"])
    ['1 + 1']
    >>> only_with_torch(["%%torch", "torch.ones(2)"])
    ['torch.ones(2)']
    """
    if not lines or lines[0].strip() != "%%torch":
        return lines
    try:
        importlib.import_module("torch")
    except ImportError:
        return [f"print({_LEFT_OUT!r})\n"]
    return lines[1:]
