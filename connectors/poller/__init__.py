"""Change capture with SELECT rights alone: rows by transaction id, deletions by comparing keys."""
