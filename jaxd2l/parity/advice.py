"""What to write where weights cannot be paired: lines to paste, with a guess in them."""

import difflib
from collections.abc import Mapping
from math import prod

Shape = tuple[int, ...]


def ways_out(guesses: Mapping[str, str]) -> str:
    """The end of an error message: a mapping to paste, and that a function will do as well.

    Args:
      guesses: an expression for each JAX parameter that is to be named.

    >>> print(ways_out({"params.slope": 'take("weight").reshape()'}))
    <BLANKLINE>
    Check these lines, complete them and pass them on; take is parity.take:
        weights={
            "params.slope": take("weight").reshape(),
        }
    Or pass a function from torch's arrays by name to the JAX model's variables: weights=lambda arrays: {...}
    """
    lines = [f'        "{name}": {guess},' for name, guess in guesses.items()]
    mapping = [
        "Check these lines, complete them and pass them on; take is parity.take:",
        "    weights={",
        *lines,
        "    }",
    ]
    function = "ass a function from torch's arrays by name to the JAX model's variables: weights=lambda arrays: {...}"
    return "\n" + "\n".join([*(mapping if lines else []), f"{'Or p' if lines else 'P'}{function}"])


def guesses(theirs: Mapping[str, Shape], ours: Mapping[str, Shape]) -> dict[str, str]:
    """For each JAX parameter the torch parameter with the most similar name among those of its size; "..." if none is.

    Args:
      theirs: the shapes of torch's parameters without a partner.
      ours: the shapes of JAX's.

    >>> guesses({"a.weight": (3, 2), "b.weight": (6,)}, {"a.kernel": (2, 3), "b.gain": (7,)})
    {'a.kernel': 'take("a.weight").T', 'b.gain': '...'}
    """
    return {name: _guess(name, shape, theirs) for name, shape in ours.items()}


def _guess(name: str, shape: Shape, theirs: Mapping[str, Shape]) -> str:
    as_large = [other for other, theirs_shape in theirs.items() if prod(theirs_shape) == prod(shape)]
    if not as_large:
        return "..."
    best = max(as_large, key=lambda other: difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio())
    found = theirs[best]
    if found == shape and (len(shape) != 2 or shape[0] != shape[1]):
        return f'take("{best}")'
    return f'take("{best}").T' if (*found[2:], *found[1::-1]) == shape else f'take("{best}").reshape{shape}'
