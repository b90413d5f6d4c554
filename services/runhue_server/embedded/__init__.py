"""Postgres, Valkey and the supervisor that `runhue up` starts on a machine that has none."""
