"""`python -m benchmarks NAME [--rounds N]` runs a program; without a name it lists them."""

import argparse
import importlib
import pkgutil

import benchmarks
from benchmarks.harness import save, section, write_results


def programs() -> dict[str, str]:
    """Program name -> module."""
    modules = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return {name.split("_")[0]: name for name in modules if name[0] == "p" and name[1].isdigit()}


def main() -> None:
    """Run one program, keep its JSON and write RESULTS.md anew."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("name", nargs="?", choices=[*programs(), "results"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, module_name in programs().items():
            summary = (importlib.import_module(f"benchmarks.{module_name}").__doc__ or "").splitlines()[0]
            print(f"{name:4} {summary}")
    elif arguments.name == "results":
        write_results()
    else:
        module = importlib.import_module(f"benchmarks.{programs()[arguments.name]}")
        report = module.measure(arguments.rounds)
        save(report)
        print(section(report))


if __name__ == "__main__":
    main()
