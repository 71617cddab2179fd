"""One port in a process of its own: its verdict, what "auto" mapped, time and memory, and its planted bugs."""

import importlib
import math
import resource
import sys
import time
from importlib.util import find_spec
from typing import NamedTuple

from jaxd2l.parity import Report
from parity_tests.ports.port import Port, check

PORTS = {
    "BERT": "bert.PORT",
    "GPT-2": "gpt2.PORT",
    "Llama": "llama.PORT",
    "ViT": "vit.PORT",
    "ResNet": "resnet.PORT",
    "ResNet in training": "resnet.PORT_TRAINED",
    "ResNet of jax_resnet": "jax_resnet.PORT",
    "ResNet of hk.nets": "haiku_resnet.PORT",
    "ResNet-18 of torchvision": "torchvision_resnet.PORT",
}
LARGE = {"ResNet-18, 12 million parameters": "jax_resnet.PORT_LARGE", "GPT-2, 30 million": "gpt2.PORT_LARGE"}


class Measured(NamedTuple):
    """What was found.

    framework: the JAX side's.
    parameters: how many numbers torch's parameters hold.
    mapped: how many of them "auto" found a place for.
    failures: the rows that do not hold, without bugs; none are right.
    seconds: of processor time.
    megabytes: the most memory that the process had until then, its libraries included.
    bugs: by name "named", "found" (but not by its words) or "missed".
    """

    framework: str
    parameters: int
    mapped: int
    failures: list[str]
    seconds: float
    megabytes: int
    bugs: dict[str, str]


def is_installed(name: str) -> bool:
    """Whether the packages of a port are there. The extra `ports` leaves torchvision out: few wheels suit torch's."""
    return "torchvision" not in name or find_spec("torchvision") is not None


def port_of(name: str) -> Port:
    """A port by its name in the table."""
    module, _, attribute = {**PORTS, **LARGE}[name].partition(".")
    port: Port = getattr(importlib.import_module(f"parity_tests.ports.{module}"), attribute)
    return port


def measure(name: str) -> Measured:
    """Checks a port, and then each of its bugs."""
    port = port_of(name)
    sizes = {n: math.prod(p.shape) for n, p in port.torch().named_parameters()}
    by_hand = port.arguments.get("weights", {})
    begun = time.process_time()
    report = check(port)
    seconds, memory = time.process_time() - begun, _peak_megabytes()
    bugs = {bug: _judged(check(port, **planted.options), planted.words) for bug, planted in port.bugs.items()}
    mapped = sum(size for n, size in sizes.items() if n not in by_hand)
    wrong = [f"{row.quantity} ({row.level})" for row in report.failures]
    return Measured(port.framework, sum(sizes.values()), mapped, wrong, seconds, memory, bugs)


def _judged(report: Report, words: tuple[str, ...]) -> str:
    if report.ok:
        return "missed"
    hints = [row.hint for row in report.failures if not row.follows_from]
    return "named" if any(all(word in hint for word in words) for hint in hints) else "found"


def _peak_megabytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024**2 if sys.platform == "darwin" else 1024)
