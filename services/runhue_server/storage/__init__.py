"""Bytes in and out by HTTP: signed addresses, uploads and downloads; ingest, gateway and API use it."""
