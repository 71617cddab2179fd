r"""Formulas as docstrings have them, in the language of TeX.

>>> latex("exp(x_i) / sum_j exp(x_j)")
'\\exp (x_{i}) / \\sum_{j} \\exp (x_{j})'
"""

import re
from collections import deque
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<over>(?P<sign>sum|max|argmin)\ over\ (?P<names>[\w, ]+?)(?:\ in\ (?P<range>\[[^]]*\]))?\ of\b\s*)
    |(?P<slope>d(?P<of>[A-Z])/d(?P<by>\w+))
    |(?P<words>"[^"]*"|[A-Za-z]+'s\b|[a-z]{2,}(?:-[a-z]{2,})+|sum(?=\ (?:of|is)\b))
    |(?P<power>(?P<digits>\d+)e(?P<exponent>-?\d+))
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z]\w*)
    |(?P<gap>\s{2,})|(?P<space>\s)
    |(?P<operator><=|>=|<-|->|[-+*/=<>~])
    |(?P<symbol>\.\.\.|\|\||[\^()\[\],;|!'])""",
    re.VERBOSE,
)
_SYMBOLS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "<-": r"\leftarrow ",
    "->": r"\to ",
    "...": r"\dots ",
    "||": r"\|",
    "*": r"\cdot ",
    "~": r"\sim ",
}
_GREEK = {"eps": r"\epsilon"} | {
    name: rf"\{name}" for name in ("alpha", "beta", "eta", "lambda", "mu", "phi", "Phi", "pi", "rho", "sigma")
}
_FUNCTIONS = {name: rf"\{name}" for name in ("exp", "log", "max", "min", "cos", "tanh")}
_COMMANDS = _GREEK | _FUNCTIONS
_SIGNS = {"sum": r"\sum", "max": r"\max", "argmin": r"\operatorname*{argmin}"}
_LOOKS_LIKE_ONE = re.compile(r"\^|(?<=\s)[-+*/=<>](?=\s)|^[a-zA-Z]_[a-z]$")
_IS_PROGRAM = re.compile(r"[a-z]\.[a-z]|\w\[|\w=\w|[:@%{}\"]|->")


def looks_like_one(code: str) -> bool:
    """Whether something in backticks is a formula, and not a program."""
    return bool(_LOOKS_LIKE_ONE.search(code)) and not _IS_PROGRAM.search(code)


def display(lines: list[str]) -> str:
    """Lines below each other, aligned at their first `=`. Raises ValueError as `latex` does."""
    found = [latex(line.strip()) for line in lines]
    if len(found) == 1:
        return found[0]
    aligned = [re.sub(r"=|\\leftarrow ", r"&\g<0>", line, count=1) for line in found]
    return " \\\\\n".join(line if "&" in line else f"&{line}" for line in aligned)


def latex(formula: str) -> str:
    """One line in TeX. Raises ValueError for what is no formula."""
    tokens: deque[re.Match[str]] = deque()
    at = 0
    while at < len(formula):
        token = _TOKEN.match(formula, at)
        if token is None:
            raise ValueError(f"{formula[at]!r} is no part of a formula: {formula}")
        tokens.append(token)
        at = token.end()
    return "".join(_written(tokens)).strip()


def _written(tokens: deque[re.Match[str]], end: str | None = None) -> Iterator[str]:
    """Tokens up to the bracket `end`."""
    before = None
    while tokens:
        token = tokens.popleft()
        if token[0] == end:
            return
        if token["space"]:
            # TeX has its own space around operators; words and their neighbours need one.
            beside = [each for each in (before, tokens[0] if tokens else None) if each]
            yield r"\ " if any(map(_is_word, beside)) and not any(each["operator"] for each in beside) else " "
        elif token[0] == "(":
            yield from ("(", *_written(tokens, ")"), ")")
        elif token[0] == "^":
            yield "^{" + _next(tokens) + "}"
        elif token["name"] == "sqrt":
            yield r"\sqrt{" + _next(tokens) + "}"
        elif token["name"] and token[0].endswith("_"):
            yield _name(token[0][:-1]) + "_{" + _next(tokens) + "}"
        else:
            yield _single(token)
        before = token


def _is_word(token: re.Match[str]) -> bool:
    return _single(token).startswith((r"\text", r"\mathtt"))


def _next(tokens: deque[re.Match[str]]) -> str:
    """What a power, an index or a root applies to: all in the brackets, or a single thing."""
    token = tokens.popleft()
    if token[0] == "(":
        return "".join(_written(tokens, ")"))
    if token[0] == "-":
        return "-" + _next(tokens)
    return r"\top" if token[0] == "T" else _single(token)


def _single(token: re.Match[str]) -> str:
    if token["over"]:
        within = rf" \in {token['range']}" if token["range"] else ""
        return f"{_SIGNS[token['sign']]}_{{{token['names']}{within}}} "
    if token["slope"]:
        return rf"\frac{{\partial {token['of']}}}{{\partial {_name(token['by'])}}}"
    if token["power"]:
        return rf"{token['digits']} \cdot 10^{{{token['exponent']}}}".removeprefix(r"1 \cdot ")
    if token["words"]:
        return rf"\text{{{token[0]}}}"
    if token["gap"]:
        return r"\quad "
    return _name(token[0]) if token["name"] else _SYMBOLS.get(token[0], token[0])


def _name(name: str) -> str:
    """A letter with its index, a Greek one, a function, an argument of the code, or a word."""
    stem, _, index = name.partition("_")
    if stem == "sum":
        return r"\sum" + (f"_{{{index}}}" if index else " ")
    if digits := re.fullmatch(r"([A-Za-z]|beta|mu)(\d)", name):
        stem, index = digits[1], digits[2]
    elif stem in _FUNCTIONS and index:
        stem = name
    if len(stem) > 1 and stem not in _COMMANDS:
        if len(index) > 1:
            return r"\mathtt{" + name.replace("_", r"\_") + "}"
        stem = rf"\text{{{stem}}}"
    if len(index) > 2 and not set(index) <= set("ijkt"):
        index = rf"\text{{{index}}}"
    if index:
        return f"{_COMMANDS.get(stem, stem)}_{{{index}}}"
    return f"{_COMMANDS[stem]} " if stem in _COMMANDS else stem
