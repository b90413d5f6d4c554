"""Taking in what writers say, whatever wire it came by: used by ingest and gateway."""
