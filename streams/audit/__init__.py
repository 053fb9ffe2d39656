"""A log that shows every alteration: hash chain, Merkle tree, signed checkpoints (AUD-1 to AUD-6)."""
