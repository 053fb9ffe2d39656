"""Reference pages made from the code: settings, topics, events, commands (CFG-12, STR-16, STR-17)."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from deploy.local.settings import LocalSettings
from schemas import events as event_module
from schemas import topics as catalogue
from schemas.events import Event
from schemas.topics import Topic, change_topic, dead_letter_topic, pack_topics
from workers.settings import Settings, variable

CHECKOUT = Path(__file__).parents[1]
FROZEN = Path("schemas") / "frozen"
_FOR_DEVELOPERS = re.compile(r" \((?:[A-Z]+-[A-Z0-9.]+(?:, )?|spec section \d+|design\.md[^)]*)+\)")
_MADE = "<!-- Made by `revops docs write`; a test fails when it is not current. -->\n\n"


def pages() -> dict[Path, str]:
    """Every generated file, by its path in the checkout."""
    return {
        Path(".env.example"): env_example(),
        Path("docs/reference/settings.md"): settings_page(),
        Path("docs/reference/topics.md"): topics_page(),
        Path("docs/reference/events.md"): events_page(),
        Path("docs/reference/commands.md"): commands_page(),
    } | {FROZEN / f"{one.__name__}.json": frozen_schema(one) for one in event_classes()}


def event_classes() -> list[type[Event]]:
    """Every event of `schemas.events`, by name."""
    found = [one for one in vars(event_module).values() if isinstance(one, type)]
    events = [one for one in found if issubclass(one, Event) and one is not Event]
    return sorted(events, key=lambda one: one.__name__)


def frozen_schema(event: type[Event]) -> str:
    """The JSON Schema of an event as it is frozen."""
    return json.dumps(event.model_json_schema(), indent=2, sort_keys=True) + "\n"


# --- settings ------------------------------------------------------------------------------------


def settings_groups() -> Iterator[tuple[str, type[BaseModel]]]:
    """The groups of settings with their models, as in `REVOPS_<GROUP>__<NAME>`."""
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield name, group


def settings_page() -> str:
    """docs/reference/settings.md."""
    lines = [
        "# Settings\n\n",
        _MADE,
        "Every process reads its settings from environment variables `REVOPS_<GROUP>__<NAME>`. "
        "`.env.example` lists them. What is missing or wrong is said at start, all at once.\n\n",
    ]
    for name, group in settings_groups():
        lines += [f"## {name}\n\n{_sentence(group)}\n\n", _settings_table(name, group)]
    lines += [
        "## local\n\nThe local stack of `revops up` and `revops demo`; the first two also by variable.\n\n",
        _settings_table("local", LocalSettings),
        "## Sources\n\nThe addresses and passwords of a tenant's sources are in the variables that "
        "its file `tenants/<tenant>.yaml` names. `REVOPS_ACTOR` is the name under which a command's "
        "deeds are recorded; the user's login name where it is not set.\n",
    ]
    return "".join(lines)


def env_example() -> str:
    """.env.example: every variable, with what it is and no value that works."""
    lines = [
        "# Made by `revops docs write`. Copy to .env and fill in; what is commented out has a default.",
        "",
        "# What docker-compose.yml needs beside the settings below.",
        *[f"{name}=" for name in compose_variables()],
    ]
    for name, group in settings_groups():
        lines += ["", f"# {_sentence(group)}"]
        for field, info in group.model_fields.items():
            lines.append(f"# {_about(info)}")
            assignment = f"{variable((name, field))}="
            lines.append(assignment if info.is_required() else f"# {assignment}")
    return "\n".join(lines) + "\n"


def compose_variables() -> list[str]:
    """The variables that docker-compose.yml insists on."""
    text = (CHECKOUT / "docker-compose.yml").read_text("utf-8")
    return sorted(set(re.findall(r"\$\{(\w+):\?", text)))


def _settings_table(group: str, model: type[BaseModel]) -> str:
    rows = [
        f"| `{variable((group, name))}` | {_default(info)} | {info.description or ''} |\n"
        for name, info in model.model_fields.items()
    ]
    return "".join(["| variable | default | what it is |\n|---|---|---|\n", *rows, "\n"])


def _about(info: FieldInfo) -> str:
    default = "required" if info.is_required() else f"default {_default(info).replace('`', '')}"
    return f"{info.description or ''} ({default})".strip()


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value in {PydanticUndefined, ""} or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, Path):
        return f"`{_portable(value)}`"
    return f"`{value}`"


def _portable(path: Path) -> str:
    """The path without what is particular to this machine and user."""
    for anchor, name in ((CHECKOUT, ""), (Path.home(), "~/")):
        if path.is_relative_to(anchor):
            return f"{name}{path.relative_to(anchor)}"
    return str(path)


# --- topics --------------------------------------------------------------------------------------


def topics_page() -> str:
    """docs/reference/topics.md."""
    every = (
        change_topic("<source>", "<table>"),
        *catalogue.PLATFORM_TOPICS,
        *pack_topics("<pack>"),
        dead_letter_topic("<worker>"),
    )
    public = [one for one in every if one.public]
    internal = [one for one in every if not one.public]
    return "".join(
        [
            "# Topics\n\n",
            _MADE,
            "Keys are canonical JSON and end with the tenant. A compacted topic keeps the newest "
            "record of each key; its events carry a `version` that only rises. Records up to "
            f"{catalogue.RECORD_BYTES // 2**20} MiB pass. `revops topics apply` brings the broker to "
            "what stands here.\n\n## To subscribe to\n\n",
            _topics_table(public),
            "\n## Internal\n\nThey may change without notice.\n\n",
            _topics_table(internal),
        ]
    )


def _topics_table(topics: list[Topic]) -> str:
    head = "| topic | holds | event | key | partitions | kept |\n|---|---|---|---|---|---|\n"
    rows = [
        f"| `{one.name}` | {_escaped(one.purpose)} | {_events_of(one)} | {one.key} "
        f"| {one.partitions} | {_kept(one)} |\n"
        for one in topics
    ]
    return head + "".join(rows)


def topics_of(event: type[Event]) -> list[str]:
    """The topics that an event's description names: "Topic `a`", "Topics `a|b`"."""
    found = re.search(r"Topics? `([^`]+)`", event.__doc__ or "")
    if not found:
        return []
    first, *others = found[1].split("|")
    stem = first.rpartition(".")[0]
    return [first, *(f"{stem}.{other}" for other in others)]


def _events_of(topic: Topic) -> str:
    found = [one.__name__ for one in event_classes() if topic.name in topics_of(one)]
    return ", ".join(f"[{name}](events.md#{name.lower()})" for name in found)


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest of each key"
    if topic.retention is None:
        return "for good"
    hours = topic.retention.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} h"


# --- events --------------------------------------------------------------------------------------


def events_page() -> str:
    """docs/reference/events.md."""
    common = set(Event.model_fields)
    lines = [
        "# Events\n\n",
        _MADE,
        "Values are JSON. Times are UTC in ISO 8601, money is decimal text, ids are text. Fields are "
        "only ever added, always optional; read what you know and pass over the rest. The JSON Schemas "
        "lie in [`schemas/frozen`](../../schemas/frozen).\n\n## All events\n\n",
        _fields_table(Event, set()),
    ]
    for event in event_classes():
        lines += [f"\n## {event.__name__}\n\n{_text(event)}\n\n", _fields_table(event, common)]
    return "".join(lines)


def _fields_table(model: type[BaseModel], without: set[str]) -> str:
    schema = model.model_json_schema()
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(model.model_fields[name], one)} | "
        f"{'yes' if name in required else ''} | {one.get('description', '')} |\n"
        for name, one in schema["properties"].items()
        if name not in without
    ]
    return "| field | type | always there | |\n|---|---|---|---|\n" + "".join(rows)


def _type(info: FieldInfo, schema: dict[str, Any]) -> str:
    text = repr(info.annotation) if "[" in repr(info.annotation) else ""
    name = getattr(info.annotation, "__name__", "")
    if "Decimal" in text + name:
        return "decimal text"
    parts = schema.get("anyOf", [schema])
    names = [_json_type(part) for part in parts]
    return " or ".join(dict.fromkeys(names))


def _json_type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_json_type(schema.get('items', {}))}"
    return {"date-time": "time", "date": "date"}.get(str(schema.get("format")), kind)


# --- commands ------------------------------------------------------------------------------------


def commands_page() -> str:
    """docs/reference/commands.md."""
    lines = [
        "# Commands\n\n",
        _MADE,
        "Exit status: 0 done, 1 failed, 2 wrong usage. Lists take `--output json`.\n",
    ]
    for name, command in top_level_commands():
        lines += _command_section(f"revops {name}", command, 2)
    return "".join(lines)


def top_level_commands() -> Iterator[tuple[str, Any]]:
    """Every command and group of commands whose module is there."""
    from workers.cli.main import COMMANDS, GROUPS, app

    root: Any = typer.main.get_command(app)
    for name, module in (COMMANDS | GROUPS).items():
        if importlib.util.find_spec(module) is not None:
            yield name, root.get_command(typer.Context(root), name)


def _command_section(title: str, command: Any, depth: int) -> list[str]:
    help_text = " ".join((command.help or "").split())
    lines = [f"\n{'#' * depth} {title}\n\n{help_text}\n"]
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if not inner.hidden:
                lines += _command_section(f"{title} {name}", inner, depth + 1)
        return lines
    rows = [_parameter_row(one) for one in command.params if one.name != "help"]
    if rows:
        lines += ["\n| argument or option | default | |\n|---|---|---|\n", *rows]
    return lines


def _parameter_row(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        names = ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts))
    else:
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    help_text = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|")
    return f"| {names} | {_parameter_default(parameter)} | {help_text} |\n"


def _parameter_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = getattr(parameter.default, "value", parameter.default)
    if isinstance(default, Path):
        return f"`{_portable(default)}`"
    if isinstance(default, bool) or not isinstance(default, str | int | float) or default == "":
        return ""
    return f"`{default}`"


def _sentence(model: type[BaseModel]) -> str:
    return _text(model).split("\n\n", maxsplit=1)[0]


def _text(model: type[BaseModel]) -> str:
    """A model's description, without what only those who work on it can look up."""
    paragraphs = (model.__doc__ or "").split("\n\n")
    text = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    return _FOR_DEVELOPERS.sub("", text)
