"""The two texts of a record, and which of them need encoding."""
