"""Arrays and tensors of any library as numpy's, known by what they can do."""

from typing import Any, Protocol, TypeGuard

from runhue._errors import BadMedia
from runhue._media.libraries import library


class Array(Protocol):
    """What numpy, torch, tensorflow and jax have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def is_array(value: object) -> TypeGuard[Array]:
    """True for arrays and tensors, not for their scalars' Python types."""
    return hasattr(value, "shape") and (hasattr(value, "tolist") or hasattr(value, "numpy"))


def as_numpy(value: Any, needed_for: str) -> Any:  # any library's array -> numpy.ndarray
    """The array as numpy's; on an accelerator it is copied, gradients are left.

    Raises:
        BadMedia: it cannot be turned into one.
    """
    numpy = library("numpy", needed_for)
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    try:
        return numpy.asarray(value.numpy() if _is_tensor(value) else value)
    except TypeError:
        return _widened(value)
    except ValueError as error:
        raise BadMedia(f"{needed_for}: {type(value).__name__} cannot become an array: {error}") from error


def _is_tensor(value: Any) -> bool:  # any library's array
    return hasattr(value, "numpy") and not hasattr(value, "__array_interface__")


def _widened(value: Any) -> Any:  # a torch tensor of a type that numpy lacks
    if not hasattr(value, "float"):
        raise BadMedia(f"a {type(value).__name__} cannot become an array")
    return value.float().numpy()
