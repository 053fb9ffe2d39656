"""`revops config`: what this installation is set to, and where each value comes from (CFG-12)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr

from schemas.tenants import Tenant
from workers.cli.apply import apply
from workers.cli.output import Output, fail, load_settings, show_json, show_rows
from workers.settings import Settings, variable
from workers.tenants import TenantFileError, load_tenants

app = typer.Typer(no_args_is_help=True, help="Settings and tenants: shown, and brought about.")
app.command("apply", help=apply.__doc__)(apply)

_SETTINGS = ("variable", "value", "from")
_SOURCES = ("tenant", "packs", "source", "capture", "tables", "address")
_HIDDEN = "********"


@app.command()
def show(
    given: Annotated[
        bool, typer.Option("--given", help="Only what the environment sets, no defaults.")
    ] = False,
    output: Annotated[Output, typer.Option(help="table or json")] = Output.TABLE,
) -> None:
    """Shows every setting with its origin, and the tenants' sources; secrets stay hidden."""
    settings = load_settings()
    try:
        tenants = load_tenants(settings.config.directory)
    except TenantFileError as problem:
        fail(str(problem))
    rows = [one for one in setting_rows(settings) if one["from"] == "environment" or not given]
    sources = [row for tenant in tenants.values() for row in source_rows(tenant)]
    if output is Output.JSON:
        show_json({"settings": rows, "sources": sources})
        return
    show_rows(rows, _SETTINGS, output, title="Settings")
    show_rows(sources, _SOURCES, output, title=f"Tenants of {settings.config.directory}")


def setting_rows(settings: Settings) -> Iterator[dict[str, Any]]:
    """Variable, value and origin ("environment" or "default") of every setting, in their order."""
    for group in Settings.model_fields:
        model = getattr(settings, group)
        if not isinstance(model, BaseModel):
            continue
        for field in type(model).model_fields:
            name = variable((group, field))
            yield {
                "variable": name,
                "value": _shown(getattr(model, field)),
                "from": "environment" if name in os.environ else "default",
            }


def source_rows(tenant: Tenant) -> Iterator[dict[str, Any]]:
    """How each source of a tenant is captured, and whether its address is set."""
    for name, source in tenant.sources.items():
        is_set = bool(os.environ.get(source.dsn_variable))
        yield {
            "tenant": tenant.tenant,
            "packs": ", ".join(tenant.packs),
            "source": name,
            "capture": source.capture.value,
            "tables": len(source.tables),
            "address": f"{source.dsn_variable} {'is set' if is_set else 'is NOT set'}",
        }


def _shown(value: Any) -> str | None:
    if isinstance(value, SecretStr):
        return _HIDDEN if value.get_secret_value() else ""
    return None if value is None else str(value)
