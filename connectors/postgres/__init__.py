"""The platform's PostgreSQL: the only place with SQL."""
