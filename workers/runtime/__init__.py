"""How workers run: two drivers over one contract, the outbox relay, dead letters, timers, metrics."""
