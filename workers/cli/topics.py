"""`revops topics`: the declared topics, and bringing the broker to them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from connectors.kafka.topics import (
    Action,
    BrokerTopic,
    TopicChange,
    TopicRefused,
    apply_changes,
    broker_topics,
    difference,
)
from schemas.tenants import captured_tables
from schemas.topics import Topic, catalogue
from workers.cli.output import (
    Output,
    console,
    fail,
    load_settings,
    run_command,
    show_json,
    show_rows,
)
from workers.context import kafka_client_options
from workers.settings import Settings
from workers.tenants import TenantFileError, load_tenants

app = typer.Typer(no_args_is_help=True, help="Topics: what is declared and what the broker has.")

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="table or json")]


def declared_topics(settings: Settings) -> tuple[Topic, ...]:
    """Every topic of this installation's tenants and packs. Raises TenantFileError."""
    tenants = load_tenants(settings.config.directory)
    packs = sorted({pack for tenant in tenants.values() for pack in tenant.packs})
    return catalogue(captured_tables(tenants.values()), tuple(packs))


@app.command("list")
def list_topics(output: OutputOption = Output.TABLE) -> None:
    """Lists the declared topics and whether the broker has them so."""
    settings, declared = _declared()
    broker = _broker(settings)
    differing = {change.topic.name: change for change in difference(declared, broker)}
    rows = [_row(topic, broker.get(topic.name), differing.get(topic.name)) for topic in declared]
    show_rows(
        rows,
        ("topic", "partitions", "kept", "max_megabytes", "public", "broker", "purpose"),
        output,
    )


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="TOPIC", help="Its full name.")]) -> None:
    """Shows one topic, declared and real, as JSON."""
    settings, declared = _declared()
    topic = next((one for one in declared if one.name == name), None)
    real = _broker(settings).get(name)
    if topic is None and real is None:
        fail(f"no topic {name!r} is declared, and the broker has none; see `revops topics list`")
    show_json(
        {
            "topic": name,
            "declared": topic and _declaration(topic),
            "broker": real
            and {
                "partitions": real.partitions,
                "replication_factor": real.replication_factor,
                "own_settings": dict(real.own_settings),
                "configuration": dict(real.configuration),
            },
        }
    )


@app.command()
def apply(
    dry_run: Annotated[bool, typer.Option(help="Only show what would be done.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Creates missing topics, adds partitions and sets configuration; never deletes."""
    settings, declared = _declared()
    changes = difference(declared, _broker(settings))
    rows: list[dict[str, Any]] = [
        {"topic": one.topic.name, "action": one.action.value, "detail": one.detail}
        for one in changes
    ]
    show_rows(
        rows, ("topic", "action", "detail"), output
    ) if rows or output is Output.JSON else None
    todo = [one for one in changes if one.action is not Action.KEEP_PARTITIONS]
    if dry_run or not todo:
        _say(
            output, "Nothing was changed." if dry_run else "The broker has all topics as declared."
        )
        return
    try:
        run_command(
            lambda: apply_changes(
                kafka_client_options(settings.kafka),
                todo,
                replication_factor=settings.kafka.replication_factor,
            )
        )
    except TopicRefused as problem:
        fail(str(problem))
    _say(output, f"{len(todo)} changes applied.")


def _say(output: Output, text: str) -> None:
    if output is Output.TABLE:
        console.print(text)


def _declared() -> tuple[Settings, tuple[Topic, ...]]:
    settings = load_settings()
    try:
        return settings, declared_topics(settings)
    except TenantFileError as problem:
        fail(str(problem), code=2)


def _broker(settings: Settings) -> dict[str, BrokerTopic]:
    return run_command(lambda: broker_topics(kafka_client_options(settings.kafka)))


def _row(topic: Topic, real: BrokerTopic | None, change: TopicChange | None) -> dict[str, Any]:
    if real is None:
        state = "missing"
    elif change is None:
        state = "as declared"
    else:
        state = f"{change.action.value}: {change.detail}"
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "kept": _kept(topic),
        "max_megabytes": topic.max_bytes // 1024 // 1024,
        "public": topic.public,
        "broker": state,
        "purpose": topic.purpose,
    }


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest per key"
    if topic.retention is None:
        return "for good"
    hours = topic.retention.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 24 else f"{hours:g} hours"


def _declaration(topic: Topic) -> dict[str, Any]:
    return {
        "purpose": topic.purpose,
        "key": topic.key,
        "partitions": topic.partitions,
        "public": topic.public,
        "configuration": topic.configuration(),
    }
