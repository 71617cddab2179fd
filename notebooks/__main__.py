"""`python -m notebooks [NAME ...]` executes all notebooks, or those that begin with NAME, and writes README.md."""

import argparse
import sys
from pathlib import Path

from nbclient.exceptions import CellExecutionError
from rich.console import Console
from rich.progress import Progress

from notebooks import contents, running


def main() -> int:
    """Executes and saves the notebooks, and reports those that failed."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="ch02, ch02_03, ...; default: all")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the folder with the files of Fashion-MNIST")
    parser.add_argument("--table", action="store_true", help="execute nothing, only write README.md")
    options = parser.parse_args()
    texts = [t for t in running.texts() if not options.names or t.name.startswith(tuple(options.names))]
    if options.table:
        texts = []
    elif not texts:
        parser.error(f"no notebook's name begins with {' or '.join(options.names)}")
    failed = 0
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(texts))
        for text in texts:
            progress.update(task, description=text.stem)
            try:
                notebook = running.execute(text, options.data_dir and options.data_dir.absolute())
            except (CellExecutionError, ValueError) as error:
                failed += 1
                reason = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
                print(f"{text.name} failed, so {text.stem}.ipynb is unchanged: {reason}", file=sys.stderr)
            else:
                running.save(text, notebook)
                print(f"{text.stem}: {notebook.metadata['jaxd2l']['seconds']} s")
            progress.advance(task)
    if missing := [t.stem for t in running.texts() if not t.with_suffix(".ipynb").exists()]:
        print(
            f"README.md is unchanged, because these notebooks were never executed: {', '.join(missing)}",
            file=sys.stderr,
        )
    else:
        contents.PATH.write_text(contents.text(), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
