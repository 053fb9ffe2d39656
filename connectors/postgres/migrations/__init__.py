"""Schema migrations by alembic: `upgrade(dsn)` brings a database to the newest schema."""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config


def upgrade(dsn: str, revision: str = "head") -> None:
    """Brings the database at `dsn` (postgresql://...) to `revision`; does nothing if it is there."""
    with as_file(files(__name__)) as folder:
        configuration = Config()
        configuration.set_main_option("script_location", str(folder))
        configuration.set_main_option("path_separator", "os")
        configuration.attributes["dsn"] = dsn
        command.upgrade(configuration, revision)
