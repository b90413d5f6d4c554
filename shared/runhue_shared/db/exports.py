"""Exports: all of something at one moment, read for as long as a client takes."""

from runhue_shared.db import Transaction

IDLE_TIMEOUT = "60s"
"""A client that reads nothing for so long loses its export, so that it does not hold a connection."""


def bound_idle(tx: Transaction) -> None:
    """End this transaction, with psycopg.OperationalError, when its client stops reading for 60 s."""
    tx.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}'")
