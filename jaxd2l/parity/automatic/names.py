"""What the name of a layer says: words that tell layers apart, and numbers that order them."""

import re

Tokens = tuple[str | int, ...]

_SAME = {
    "query": ("q", "wq"),
    "key": ("k", "wk"),
    "value": ("v", "wv"),
    "out": ("o", "wo", "output"),
    "attention": ("attn", "mha"),
    "mlp": ("ffn", "ff", "feedforward"),
    "embedding": ("emb", "embed", "embeddings"),
    "position": ("pos", "positions", "positional", "wpe"),
    "token": ("tok", "tokens", "word", "wte"),
    "linear": ("lin", "dense", "fc"),
    "norm": ("ln", "bn", "layernorm", "batchnorm", "rmsnorm", "groupnorm", "normalization"),
    "conv": ("convolution", "conv2_d", "conv1_d", "conv3_d", "conv1d", "conv2d", "conv3d"),
    "layer": ("layers", "block", "blocks"),
    "forward": ("fwd",),
    "backward": ("bwd", "reverse", "reversed"),
    "encoder": ("enc",),
    "decoder": ("dec",),
    "downsample": ("shortcut",),
}
_WORD = {other: word for word, others in _SAME.items() for other in others}

_GENERIC = {
    "linear",
    "norm",
    "conv",
    "layer",
    "embedding",
    "proj",
    "projection",
    "cell",
    "rnn",
    "module",
    "model",
    "to",
}
_GENERIC |= {"batch", "group", "rms", "transpose", "h", "w", "lstm", "gru", "optimized", "d", "c", "general"}
"""Words that say of what kind a layer is, which its shapes say too, and not which one it is."""

_RELATIVE = {"pre", "post", "before", "after", "input"}
"""A name with one of these says where the layer stands, not what it belongs to: "post_attention_norm"."""


def tokens(path: str, *, numbered: bool = False) -> Tokens:
    """The words and numbers of a path, with one word for what people call by several.

    Args:
      path: components joined by "." or "/".
      numbered: a component without a number counts as number 0, as in Haiku: "linear", "linear_1".

    >>> tokens("encoder.layers_2.self_attn.q_proj"), tokens("enc.blocks.2.SelfAttention.query_proj")
    (('encoder', 'layer', 2, 'self_attention', 'query_proj'), ('encoder', 'layer', 2, 'self_attention', 'query_proj'))
    >>> tokens("mlp/~/linear", numbered=True)
    ('mlp', 0, 'linear', 0)
    """
    components = [component for component in re.split(r"[./]", path) if component not in ("", "~")]
    found: list[str | int] = []
    for component in components:
        stem, number = _numbered(component)
        found += [word for word in ["_".join(_subwords(stem))] if word]
        found += [number] if number is not None else [0] if numbered else []
    return tuple(found)


def pattern(path: Tokens) -> tuple[str, ...]:
    """A path with its numbers replaced by "#"."""
    return tuple("#" if isinstance(token, int) else token for token in path)


def numbers(path: Tokens) -> tuple[int, ...]:
    """The numbers of a path, outermost first."""
    return tuple(token for token in path if isinstance(token, int))


def words(of: tuple[str, ...]) -> frozenset[str]:
    """The words of a pattern that may tell layers of one kind and shape apart.

    >>> sorted(words(("layer", "#", "attention", "self", "query_proj"))), sorted(words(("post_attention_norm",)))
    (['attention', 'query', 'self'], ['post_attention_norm'])
    """
    found: set[str] = set()
    for component in of:
        parts = component.split("_")
        found |= {component} if _RELATIVE & set(parts) else set(parts) - _GENERIC - {"#", ""}
    return frozenset(found)


def _numbered(component: str) -> tuple[str, int | None]:
    stem, digits = re.fullmatch(r"(.*?)_?(\d*)", component).groups()  # type: ignore[union-attr]  # everything matches
    return stem, int(digits) if digits else None


def _subwords(stem: str) -> list[str]:
    whole = stem.lower().strip("_")
    if whole in _WORD:
        return [_WORD[whole]]
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower().split("_")
    return [_WORD.get(part, part) for part in parts if part]
