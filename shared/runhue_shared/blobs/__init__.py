"""Bytes of media and files, addressed by their SHA-256: a local directory or an S3-compatible store."""
