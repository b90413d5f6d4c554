"""What is looked for in JSON before it is decoded."""

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def holds_lone_surrogate(body: bytes) -> bool:
    """Whether an escape in the text is half a surrogate pair: no character, so no stored text holds it.

    Source: RFC 8259, 8.2.
    """
    return rb"\u" in body and any(found[1] for found in _ESCAPE.finditer(body))
