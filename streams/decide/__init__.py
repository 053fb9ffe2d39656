"""Facts, conditions, outcome, explanation and simulation: rules as data (design.md section 7)."""
