"""Names of layers that different people use for the same place in a block, and which no word of theirs tells."""

from collections import defaultdict
from collections.abc import Mapping

from jaxd2l.parity.automatic.layers import Signature
from jaxd2l.parity.automatic.names import Tokens, tokens

_NORMS = {
    ("layernorm_before", "layernorm_after"),
    ("norm_before", "norm_after"),
    ("input_layernorm", "post_attention_layernorm"),
    *((first, second) for first in ("attention_norm", "attn_norm") for second in ("ffn_norm", "mlp_norm")),
}
"""The two norms of a transformer's block in their order. They are this only if the block has no third."""

_GATED = ({"w1", "w2", "w3"}, {"wi_0", "wi_1", "wo"})
"""The three layers of a gated perceptron: of the two of equal shape the first is the gate."""


def conventional(layers: Mapping[int, tuple[str, Signature]], *, numbered: bool) -> dict[int, Tokens]:
    """Other names for the layers whose place a convention knows, by position.

    Args:
      layers: path and kind and shapes of each layer.
      numbered: as for `tokens`.

    >>> norm = ("norm", (("weight", (8,)),))
    >>> conventional({0: ("h.0.attn_norm", norm), 1: ("h.0.ffn_norm", norm)}, numbered=False)
    {0: ('h', 0, 'norm', 0), 1: ('h', 0, 'norm', 1)}
    """
    blocks: dict[str, dict[str, int]] = defaultdict(dict)
    for i, (path, _) in layers.items():
        parent, _, last = path.replace("/", ".").rpartition(".")
        blocks[parent][last] = i
    found: dict[int, Tokens] = {}
    for parent, inside in blocks.items():
        before = tokens(parent, numbered=numbered)
        norms = {last for last, i in inside.items() if layers[i][1][0].endswith("norm")}
        for pair in _NORMS:
            if norms == set(pair):
                found |= {inside[last]: (*before, "norm", order) for order, last in enumerate(pair)}
        if any(set(inside) == names for names in _GATED):
            first, *others = sorted(inside)
            alike = [last for last in others if layers[inside[last]][1] == layers[inside[first]][1]]
            if len(alike) == 1:
                found |= {inside[first]: (*before, "gate"), inside[alike[0]]: (*before, "up")}
    return found
