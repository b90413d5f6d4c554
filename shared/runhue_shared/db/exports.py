"""Exports: all of something at one moment, read for as long as a client takes."""

from runhue_shared.db import Transaction

IDLE_TIMEOUT = "60s"
"""A client that reads nothing for so long loses its export, so that it does not hold a connection."""


def freeze(tx: Transaction) -> None:
    """Show this transaction one moment of the database. Call it first.

    A client that stops reading for 60 s ends the transaction with psycopg.OperationalError.
    """
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    tx.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}'")
