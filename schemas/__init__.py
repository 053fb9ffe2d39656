"""What flows: the models of every event and the catalogue of topics; pydantic and nothing else."""
