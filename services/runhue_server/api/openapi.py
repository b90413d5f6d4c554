"""`python -m runhue_server.api.openapi` writes the API's OpenAPI document to standard output."""

import json
import sys

from runhue_server.api.app import create_app


def text() -> str:
    """The document, in a form that diffs well."""
    return json.dumps(create_app().openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
