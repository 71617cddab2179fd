"""Docstrings here are plain text with code in backticks; Sphinx wants reStructuredText. This makes one of the other."""

import re
from collections.abc import Iterator
from contextlib import suppress
from textwrap import indent
from typing import Any

from notebooks.site import formulas

_CODE = re.compile(r"``?([^`]+)``?(\w?)")
_MARKUP = re.compile(r"[*|\\]|(?<=\w)_(?!\w)")

_ARRAY = re.compile(r"~?jaxlib\._jax\.Array")
_KEY = re.compile(r"[~.\w]*Key\[Array, ''\] \| [~.\w]*UInt32\[Array, '2'\] \| [~.\w]*UInt32\[Array, '4'\]")


def to_rst(_app: Any, what: str, _name: str, obj: Any, _options: Any, lines: list[str]) -> None:
    """Sphinx's event `autodoc-process-docstring`: changes the lines in place."""
    lines[:] = "\n\n".join(_blocks("\n".join(lines), getattr(obj, "_fields", ()))).split("\n")
    if what in ("data", "attribute"):
        lines.insert(0, "")  # Napoleon takes what stands before a colon in the first line for a type


def short_types(
    _app: Any, _what: str, _name: str, _obj: Any, _options: Any, signature: str | None, returned: str | None
) -> tuple[str, str] | None:
    """Sphinx's event `autodoc-process-signature`: types as the source has them."""
    return (_short(signature), _short(returned or "")) if signature else None


def _short(types: str) -> str:
    return _KEY.sub("PRNGKeyArray", _ARRAY.sub("Array", types))


def is_field(_app: Any, _what: str, _name: str, obj: Any, _skip: bool, _options: Any) -> bool | None:
    """Sphinx's event `autodoc-skip-member`: a NamedTuple's docstring has its fields already."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def _blocks(docstring: str, fields: tuple[str, ...]) -> Iterator[str]:
    """What stands between empty lines: formulas and programs as they are, fields as a list, prose as prose."""
    before = ""
    for block in re.split(r"\n[ \t]*\n", docstring):
        first = block.lstrip("\n")
        if first.lstrip().startswith(">>>") or before.endswith("::"):
            yield block
        elif first.startswith("    "):
            yield ".. math::\n\n" + indent(formulas.display(block.splitlines()), "    ")
        elif first.partition(":")[0] in fields:
            yield "Attributes:\n" + _prose(re.sub("^", "  ", block, flags=re.MULTILINE))
        else:
            yield _prose(block)
        before = block


def _prose(text: str) -> str:
    """Code goes into double backticks, formulas become formulas, and no other character is markup."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_literal(text[end : code.start()]), _code(code[1].strip()), rf"\ {code[2]}" if code[2] else ""]
        end = code.end()
    return "".join([*parts, _literal(text[end:])])


def _code(text: str) -> str:
    if formulas.looks_like_one(text):
        with suppress(ValueError):
            return f":math:`{formulas.latex(' '.join(text.split()))}`"
    return f"``{text}``"


def _literal(text: str) -> str:
    return _MARKUP.sub(lambda match: "\\" + match[0], text)
