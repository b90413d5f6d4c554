"""`python -m tests.integration.schema_file`: write schema.sql from what the migrations make."""

import subprocess
from pathlib import Path

from runhue_server.embedded.binaries import find_postgres
from runhue_server.stack import Stack

SCHEMA = Path(__file__).parents[2] / "shared/runhue_shared/db/schema.sql"
HEAD = "-- Written by `make schema` from the migrations; do not edit.\n"


def schema_of(database_url: str, scratch: Path) -> str:
    """The schema as pg_dump tells it, without what differs from dump to dump."""
    program = find_postgres(scratch).bin / "pg_dump"
    dumped = subprocess.run(
        [program, "--schema-only", "--no-owner", "--no-privileges", database_url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = [
        line
        for line in dumped.splitlines()
        if line and not line.startswith(("--", "SET ", "SELECT pg_catalog", "\\"))
    ]
    return HEAD + "\n".join(kept) + "\n"


if __name__ == "__main__":
    with Stack.temporary(services=()) as stack:
        SCHEMA.write_text(schema_of(stack.database_url, stack.data_dir), encoding="utf-8")
