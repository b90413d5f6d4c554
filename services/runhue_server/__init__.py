"""The services: ingest, aggregation, coloring, API, sweeper, and the embedded stack."""
