"""Matching two files with the same code as the stream: no Kafka, no database, no torch."""
