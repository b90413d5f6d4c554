"""Runs the examples, with either client.

python examples/seeds/run.py                        # all, with runhue
python examples/seeds/run.py s003_images s003_html  # these
python examples/seeds/run.py --client wandb         # with the official client; WANDB_BASE_URL says where to

The examples say `import runhue as wandb`. With `--client wandb` that name is the official client's, which
is what changing the line to `import wandb` does.
"""

import argparse
import ast
import runpy
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent


def constants(script: Path) -> dict[str, object]:
    """What a script assigns at its top level that is written out, by name."""
    found = {}
    for statement in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue
    return found


def why_not(script: Path, client: str) -> str | None:
    """Why an example cannot run with this client; None when it can."""
    said = constants(script)
    if client == "runhue":
        return None
    if "ONLY_RUNHUE" in said:
        return str(said["ONLY_RUNHUE"])
    needed = said.get("WANDB_NEEDS", ())
    missing = [name for name in needed if find_spec(name) is None] if isinstance(needed, tuple) else []
    return f"wandb needs {', '.join(missing)}" if missing else None


def chosen(names: Sequence[str]) -> Iterator[Path]:
    """The scripts of these names, or all."""
    for script in sorted(FOLDER.glob("s0*.py")):
        if not names or script.stem in names:
            yield script


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the examples of the seeds.")
    parser.add_argument("names", nargs="*", help="such as s003_images; all by default")
    parser.add_argument("--client", choices=("runhue", "wandb"), default="runhue")
    asked = parser.parse_args()
    if asked.client == "wandb":
        sys.modules["runhue"] = import_module("wandb")
    missing = False
    for script in chosen(asked.names):
        reason = why_not(script, asked.client)
        print(f"{script.stem}: {reason or 'runs'}", flush=True)
        if reason is None:
            try:
                runpy.run_path(str(script), run_name="__main__")
            except ImportError as error:
                missing = True
                print(f"{script.stem}: not run: {error}", flush=True)
    sys.exit(int(missing))


if __name__ == "__main__":
    main()
