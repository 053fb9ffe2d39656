"""What was spent: billing months, totals per account and customer, and what may be relied on."""
