"""Arrays and tensors of any library as numpy's, known by what they can do."""

from typing import Any, Protocol, TypeGuard

from runhue._errors import BadMedia
from runhue._media.libraries import library

REFUSALS = (NotImplementedError, RuntimeError, TypeError, ValueError)
"""What libraries raise for a tensor without plain values, such as a sparse one."""


class Array(Protocol):
    """What numpy, torch, tensorflow and jax have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def is_array(value: object) -> TypeGuard[Array]:
    """True for arrays and tensors, not for their scalars' Python types."""
    return hasattr(value, "shape") and (hasattr(value, "tolist") or hasattr(value, "numpy"))


def as_numpy(value: Any, needed_for: str) -> Any:  # any library's array -> numpy.ndarray
    """The array as numpy's; on an accelerator it is copied, gradients are left.

    Types that numpy lacks become float32 or int64, which have each of their values: bfloat16, int4.

    Raises:
        BadMedia: it cannot be turned into one.
    """
    numpy = library("numpy", needed_for)
    try:
        array = _converted(on_host(value), numpy)
    except REFUSALS as error:
        raise BadMedia(f"{needed_for}: {type(value).__name__} cannot become an array: {error}") from error
    if array.dtype.kind != "V" or array.dtype.name.startswith("void"):
        return array
    return array.astype(numpy.float32 if "float" in array.dtype.name else numpy.int64)


def on_host(value: Any) -> Any:  # any library's array
    """The array where the processor can read it, without gradients."""
    for step in ("detach", "cpu"):
        if hasattr(value, step):
            value = getattr(value, step)()
    return value


def dtype_name(value: Any) -> str:  # any library's array
    """The type of its values as numpy calls it, also of those that numpy lacks: "bfloat16"."""
    dtype = value.dtype
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def _converted(value: Any, numpy: Any) -> Any:  # any library's array -> numpy.ndarray
    if not hasattr(value, "numpy") or hasattr(value, "__array_interface__"):
        return numpy.asarray(value)
    try:
        return numpy.asarray(value.numpy())
    except TypeError:
        if not hasattr(value, "float"):
            raise
        return value.float().numpy()  # a torch tensor of a type that numpy lacks
