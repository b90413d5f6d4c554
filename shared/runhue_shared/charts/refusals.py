"""Why a preset is refused."""

from collections.abc import Iterable, Sequence


class PresetRefused(ValueError):
    """A spec that is no preset. `path` leads to what is wrong, `fix` says what to do, `limit` is a bound."""

    def __init__(
        self, path: Sequence[str | int], why: str, fix: str, limit: int | None = None, code: str = ""
    ) -> None:
        self.path = path_text(path)
        self.code = code or "invalid_preset"
        self.why = why
        self.fix = fix
        self.limit = limit
        super().__init__(f"{self.path}: {why}")


def path_text(path: Iterable[str | int]) -> str:
    """A place in a spec as people write it: `spec.layer[0].mark`."""
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in path)
