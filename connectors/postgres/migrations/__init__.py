"""Schema migrations by alembic: `upgrade(dsn)` brings a database to the newest schema."""

from __future__ import annotations

from importlib.resources import as_file, files


def upgrade(dsn: str, revision: str = "head") -> None:
    """Brings the database at `dsn` (postgresql://...) to `revision`; does nothing if it is there."""
    from alembic import command  # 30 MB that no worker needs
    from alembic.config import Config

    with as_file(files(__name__)) as folder:
        configuration = Config()
        configuration.set_main_option("script_location", str(folder))
        configuration.set_main_option("path_separator", "os")
        configuration.attributes["dsn"] = dsn
        command.upgrade(configuration, revision)


def newest_revision() -> str:
    """The revision that this code was written for: the number that its last migration begins with."""
    names = [one.name for one in (files(__name__) / "versions").iterdir()]
    return max(name.partition("_")[0] for name in names if name.endswith(".py"))
