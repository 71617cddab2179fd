"""README and manual keep their word: snippets and commands run as they are written, and the names in them exist."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import jaxd2l

ROOT = Path(jaxd2l.__file__).parents[1]
DATA_DIR = Path(os.environ.get("JAXD2L_DATA_DIR") or ROOT.parent / "shared" / "data" / "fashion_mnist")
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "notebooks" / "site").glob("*.md"))]


class Outcome(NamedTuple):
    """How a command must end: its exit code, a pattern in what it prints, and the files that it leaves."""

    code: int
    prints: str
    files: tuple[str, ...] = ()


_TWO_PROCESSES = "jaxd2l train mlp --coordinator 127.0.0.1:8476 --num-processes 2 --process-id"

OUTCOMES = {
    "jaxd2l train mlp": Outcome(0, r"accuracy", ("out/mlp-digits/run.json", "out/mlp-digits/curves.png")),
    "jaxd2l data prepare fashion_mnist --from DIR": Outcome(0, r"fashion_mnist is ready"),
    "jaxd2l train mlp --dataset fashion_mnist": Outcome(0, r"0?\.8[2-6]", ("out/mlp-fashion_mnist/mistakes.png",)),
    "jaxd2l evaluate out/mlp-fashion_mnist": Outcome(0, r"(?s)sandal.*recall|recall.*sandal"),
    "jaxd2l predict out/mlp-fashion_mnist": Outcome(0, r"ankle boot", ("out/mlp-fashion_mnist/predictions.png",)),
    "jaxd2l sweep mlp --lr 0.01:1:log:8 --seeds 8 --plot map.png": Outcome(0, r"│ best │", ("map.png",)),
    "jaxd2l train mlp --dataset fashion_mnist --hidden 512,256 --dropout 0.2 --momentum 0.9 --schedule cosine "
    "--epochs 20": Outcome(0, r"test accuracy[^\n]*0\.8[89]"),
    "jaxd2l sweep mlp --lr 0.001:1:log:4 --seeds 2 --optimizer sgd,adagrad,adam,yogi --plot optimizers.png": Outcome(
        0, r"adagrad", ("optimizers.png",)
    ),
    "jaxd2l bench --plot pictures": Outcome(0, r"torch eager", ("pictures/ways.png",)),
    "jaxd2l train mlp --epochs 200 --out run --checkpoint-dir ckpt --checkpoint-every 10 --resume": Outcome(
        0, r"accuracy", ("run/params.safetensors", "ckpt/step-00009400/SHA256SUMS")
    ),
    "jaxd2l export out/mlp-digits --to model.safetensors": Outcome(0, r"", ("model.safetensors",)),
    "jaxd2l import model.safetensors --out imported": Outcome(0, r"", ("imported/run.json",)),
    f"{_TWO_PROCESSES} 1 &": Outcome(0, r""),
    f"{_TWO_PROCESSES} 0": Outcome(0, r"accuracy", ("out/mlp-digits-2/run.json",)),
    "jaxd2l parity parity_tests/example_spec.py": Outcome(0, r"(?i)within|bitwise"),
    "PLANT=gelu jaxd2l parity parity_tests/example_spec.py": Outcome(1, r"tanh-gelu"),
    "jaxd2l parity": Outcome(0, r"cross_entropy"),
    "python -m parity_tests.causes --only gradients": Outcome(0, r"\| all \| 6 \| 6 \| 7 \| 7 \| 7 \| 0 \|"),
}
"""The shell commands of the pages in their order. `make train` and `make test` are run by `.ci/run`."""


def blocks(language: str, page: Path) -> list[str]:
    """A page's code in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> list[str]:
    """Its shell commands without their comments."""
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks("sh", page) for line in block.splitlines()]
    return [line for line in lines if not line.startswith(("make ", "pip ", "python3 -m venv "))]  # `.ci/run` installs


def snippets() -> list[Any]:
    """The Python of all pages."""
    return [
        pytest.param(page, snippet, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, snippet in enumerate(blocks("python", page))
    ]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command as a shell would, with the `jaxd2l` of this environment."""
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    env = os.environ | {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT), "JAXD2L_DATA_DIR": str(DATA_DIR)}
    return subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=600)


def test_every_command_has_an_outcome_here() -> None:
    assert {command for page in PAGES for command in commands(page)} == set(OUTCOMES)


@pytest.mark.long
@pytest.mark.parametrize(("page", "snippet"), snippets())
def test_a_snippet_runs_as_it_stands(page: Path, snippet: str, tmp_path: Path) -> None:
    if not DATA_DIR.is_dir():
        pytest.skip(f"Fashion-MNIST is not in {DATA_DIR}: set JAXD2L_DATA_DIR to the folder of its four files")
    (tmp_path / "snippet.py").write_text(snippet, encoding="utf-8")
    done = run("python snippet.py", tmp_path)
    assert done.returncode == 0, done.stderr
    if page == README and "train.fit" in snippet:
        promised = re.search(r"test accuracy is (\.\d{3})", README.read_text(encoding="utf-8"))
        assert promised is not None
        assert abs(float(done.stdout.split()[0]) - float(promised[1])) < 0.005


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_command_ends_as_it_should(tmp_path: Path) -> None:
    if not DATA_DIR.is_dir():
        pytest.skip(f"Fashion-MNIST is not in {DATA_DIR}: set JAXD2L_DATA_DIR to the folder of its four files")
    (tmp_path / "parity_tests").symlink_to(ROOT / "parity_tests")
    waiting = []
    for command, outcome in OUTCOMES.items():
        if command.endswith(" &"):
            waiting.append(command)  # a background job ends when the one in the foreground does
            continue
        script = "\n".join([*waiting, command.replace("DIR", str(DATA_DIR)), "code=$?", "wait", "exit $code"])
        waiting.clear()
        done = run(script, tmp_path)
        assert done.returncode == outcome.code, f"{command}\n{done.stdout}\n{done.stderr}"
        assert re.search(outcome.prints, done.stdout + done.stderr), f"{command}\n{done.stdout}\n{done.stderr}"
        assert [name for name in outcome.files if not (tmp_path / name).exists()] == [], command


WITH_TABLE = [page for page in PAGES if "| Section | Functions |" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", WITH_TABLE, ids=lambda page: page.stem)
def test_the_names_in_its_table_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    table = text[text.index("| Section | Functions |") :].partition("\n\n")[0]
    count = 0
    for line in table.strip().splitlines()[2:]:
        for cell in line.split("|")[2].split(";"):
            names = re.findall(r"`([\w.]+)`", cell)
            within = re.match(r"\s*`([\w.]+)`:", cell)  # "`metrics`: `accuracy`, `recall`"
            for name in names[1:] if within else names:
                value: object = jaxd2l
                for part in (f"{within[1]}.{name}" if within else name).split("."):
                    if part not in ("on_epoch", "dropout_rate", "mesh"):  # options
                        value = getattr(value, part)
                count += 1
    assert count > 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [t for t in targets if not t.startswith("https://") and not (page.parent / t).exists()] == []
