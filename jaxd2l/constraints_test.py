"""The pinned packages suit every Python that the package promises, its oldest release included."""

from importlib.metadata import distributions, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

import jaxd2l

PINNED = Path(jaxd2l.__file__).parents[1] / "constraints.txt"


def test_no_pin_asks_for_a_newer_python() -> None:
    oldest = metadata("jaxd2l")["Requires-Python"].removeprefix(">=") + ".0"
    pins = set(PINNED.read_text(encoding="utf-8").lower().replace("_", "-").split())
    asked = {f"{d.name}=={d.version}".lower().replace("_", "-"): d.metadata["Requires-Python"] for d in distributions()}
    checked = {pin: SpecifierSet(asked[pin] or "") for pin in pins & set(asked)}
    assert len(checked) > 100
    assert {pin: str(spec) for pin, spec in checked.items() if not spec.contains(oldest)} == {}
