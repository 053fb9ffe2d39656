"""What a mapping file may say: which rows make a core record, and which columns its fields.

A file describes one source's records. Code exists for transforms (`streams.normalise.transforms`),
not for sources (design.md section 4). `read_mapping` checks a parsed file and names what is wrong
with it; `merged` lays a tenant's overrides over it first (CFG-9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

ROOT, SELF = "root", "self"
DELETED = "_deleted"
"""Pseudo-column of every row: whether the source deleted it."""

Ledger = Literal["cost", "invoice_staged", "invoice_final", "spp"]

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?")
_PATH = re.compile(r"([a-z_][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_$]{0,62})")


class MappingError(ValueError):
    """A mapping file says something that cannot be done; the message says where and what."""


def _identifier(name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a table or column")
    return name


def _path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError(
            f"{path!r} is not a path; write <join>.<column>, root.<column> or self.<field>"
        )
    return path


Identifier = Annotated[str, AfterValidator(_identifier)]
Path = Annotated[str, AfterValidator(_path)]
Condition = str | int | bool | None | list[Any] | dict[str, Any]
"""A value to equal, a list to be in, or `{is: empty|set}`, `{not: condition}`, `{above|below|outside:
number}`, `{longer_than: number}`. Texts are compared without case."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class JoinMapping(_Strict):
    """Rows of another table: those whose column `key` holds the value of the path `equals`.

    `many: false` takes one row: of several the one with the smallest key, with a finding unless
    `any_one` says that any will do.
    """

    table: Identifier
    key: Identifier = "id"
    equals: Path
    many: bool = False
    any_one: bool = False
    where: dict[Identifier, Condition] = {}


class CaseMapping(_Strict):
    """A value, and the conditions on paths that must all hold for it."""

    value: str | int | bool | None
    when: dict[Path, Condition] = {}


class StepMapping(_Strict):
    """One path of `from` with a transform of its own."""

    path: Path
    as_: str = Field(default="text", alias="as")
    options: dict[str, Any] = {}


class FieldMapping(_Strict):
    """Where a field's value comes from (exactly one of the first seven) and what is done to it.

    `from` takes the first path that gives a value; `collect` the distinct values of all its paths,
    sorted; `concat` joins texts, a line each; `choose` takes the value of the first case that holds;
    `sum` and `difference` calculate. `as` names the transform of `from` and `collect`.
    `negative_when` turns the sign of a number; with `when` the field stays empty unless all its
    conditions hold. A `quiet` field is stored, but its change alone is no event.
    """

    from_: Path | list[Path | StepMapping] | None = Field(default=None, alias="from")
    collect: Path | list[Path | StepMapping] | None = None
    concat: list[Path | StepMapping] | None = None
    choose: list[CaseMapping] | None = None
    constant: str | int | bool | None = None
    sum: Path | None = None
    difference: tuple[Path, Path] | None = None
    as_: str = Field(default="text", alias="as")
    options: dict[str, Any] = {}
    negative_when: dict[Path, Condition] = {}
    when: dict[Path, Condition] = {}
    quiet: bool = False

    @model_validator(mode="after")
    def _has_one_origin(self) -> FieldMapping:
        named = ("from_", "collect", "concat", "choose", "constant", "sum", "difference")
        given = [name for name in named if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "give exactly one of from, collect, concat, choose, constant, sum, difference; "
                "found " + (", ".join(name.rstrip("_") for name in given) or "none")
            )
        transforming = {"from_", "collect", "concat"}
        if self.model_fields_set & {"as_", "options"} and given[0] not in transforming:
            raise ValueError(f"`as` and `options` do not go with {given[0]}")
        return self

    @property
    def steps(self) -> tuple[StepMapping, ...]:
        """The paths of `from`, `collect` or `concat`, each with its transform."""
        found = self.from_ or self.collect or self.concat or []
        paths = [found] if isinstance(found, str) else found
        return tuple(
            StepMapping.model_validate({"path": one, "as": self.as_, "options": self.options})
            if isinstance(one, str)
            else one
            for one in paths
        )


class CheckMapping(_Strict):
    """A finding on the record, raised when all conditions hold."""

    flag: Identifier
    when: dict[Path, Condition]


class RecordMapping(_Strict):
    """One kind of derived record: its root row, the rows it joins, its fields and checks.

    `id` is the root column that names the record. With `ledger` the records are billing rows, with
    `load_of` they are load markers of the months of another table's ledger.
    """

    kind: Identifier
    side: str = "-"
    root: Identifier
    id: Identifier = "id"
    ledger: Ledger | None = None
    load_of: Identifier | None = None
    where: dict[Path, Condition] = {}
    joins: dict[Identifier, JoinMapping] = {}
    fields: dict[Identifier, FieldMapping]
    checks: list[CheckMapping] = []


class MoveMapping(_Strict):
    """A column whose changes are kept as rows of `<table>.moves` (`id`, `old`, `new`).

    That is how a merge is told from a deletion: the loser's dependents move to the survivor (AM-8).
    """

    table: Identifier
    column: Identifier
    where: dict[Identifier, Condition] = {}


class SourceMapping(_Strict):
    """One mapping file. `keys` names the primary keys that are not the single column `id`,
    `text_keys` the tables whose single key column holds text (others hold whole numbers).
    """

    source: Identifier
    keys: dict[Identifier, list[Identifier]] = {}
    text_keys: list[Identifier] = []
    moves: list[MoveMapping] = []
    records: list[RecordMapping] = []


def read_mapping(parsed: object, name: str) -> SourceMapping:
    """A checked mapping. Raises MappingError naming file, place and mend."""
    try:
        return SourceMapping.model_validate(parsed)
    except ValidationError as problem:
        lines = [
            f"  {'.'.join(str(part) for part in error['loc']) or 'file'}: {error['msg']}"
            for error in problem.errors()
        ]
        raise MappingError(f"{name} is no valid mapping:\n" + "\n".join(lines)) from problem


def merged(base: object, overlay: object) -> object:
    """`base` with `overlay` laid over it (CFG-4): maps merge, others replace, null removes a key.

    In a list of records an overlay entry is merged into the entry of the same kind, side and root.
    """
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        result = dict(cast(Mapping[str, object], base))
        for key, value in cast(Mapping[str, object], overlay).items():
            if value is None:
                result.pop(key, None)
            elif key == "records":
                result[key] = _merged_records(result.get(key), value)
            else:
                result[key] = merged(result.get(key), value)
        return result
    return overlay


def _merged_records(base: object, overlay: object) -> list[object]:
    result = list(cast("list[Mapping[str, object]]", base or []))
    places = {_record_name(record): at for at, record in enumerate(result)}
    for record in cast("list[Mapping[str, object]]", overlay):
        at = places.get(_record_name(record))
        if at is None:
            result.append(record)
        else:
            result[at] = cast("Mapping[str, object]", merged(result[at], record))
    return cast("list[object]", result)


def _record_name(record: Mapping[str, object]) -> tuple[object, object, object]:
    return record.get("kind"), record.get("side", "-"), record.get("root")
