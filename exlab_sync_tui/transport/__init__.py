"""Move the bytes: one protocol, one file per kind of destination."""
