"""YAML files as data whose every value knows its file and line; inheritance by `extends` (CFG-4).

Maps merge deeply, lists and scalars replace, `null` removes. Numbers with a fraction are read as
`Decimal`, never as float. Anchors, tags, several documents in a file, very large and very deep files
are refused: they are of no use here and of much use to whoever means harm.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, cast

import yaml

Path = tuple[str | int, ...]
Reader = Callable[[str], str]
"""Gives the text of a file of the configuration folder. Raises FileNotFoundError."""

MAXIMUM_CHARACTERS = 1_000_000
_MAXIMUM_DEPTH = 40
_INTEGER = re.compile(r"-?(0|[1-9][0-9_]*)")
_FRACTION = re.compile(r"-?(0|[1-9][0-9_]*)?\.[0-9]+|-?[0-9]+(\.[0-9]+)?[eE][-+]?[0-9]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS: Mapping[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_Loader = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: file and line, from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class RuleFileError(ValueError):
    """A rule file is refused. Names file and line, and what to do about it."""

    def __init__(self, origin: Origin, message: str, suggestion: str = "") -> None:
        self.origin = origin
        self.message = message
        self.suggestion = suggestion
        super().__init__(f"{origin}: {message}{f'; {suggestion}' if suggestion else ''}")


class RulesRefusedError(ValueError):
    """All that is wrong with a rule set, each with file, line and suggestion."""

    def __init__(self, errors: Iterable[RuleFileError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(slots=True)
class Document:
    """A file's data; `origins` has where each value stands, by its path of keys and indexes."""

    file: str
    data: dict[str, Any]
    origins: dict[Path, Origin] = field(default_factory=dict[Path, Origin])

    def origin(self, path: Path) -> Origin:
        """Where the value at `path` stands, or the nearest value around it."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, Origin(self.file, 1))

    def error(self, path: Path, message: str, suggestion: str = "") -> RuleFileError:
        """A refusal that points at the value at `path`."""
        return RuleFileError(self.origin(path), message, suggestion)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, or the list of names where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(names[:40])}" if names else ""


def parse_document(file: str, text: str) -> Document:
    """The data of a YAML file. Raises RuleFileError."""
    if len(text) > MAXIMUM_CHARACTERS:
        raise RuleFileError(
            Origin(file, 1),
            f"the file has {len(text):,} characters, more than {MAXIMUM_CHARACTERS:,}",
            "split it, or keep data out of rule files",
        )
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise RuleFileError(
            Origin(file, mark.line + 1 if mark else 1), f"not YAML: {problem.problem}"
        ) from problem
    except yaml.YAMLError as problem:
        raise RuleFileError(Origin(file, 1), f"not YAML: {problem}") from problem
    return Document(file, builder.mapping(), builder.origins)


class _Builder:
    """Builds data from YAML events without recursion, so that depth is ours to limit."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Any = None
        self.origins: dict[Path, Origin] = {}
        self._open: list[tuple[Any, Path]] = []
        self._key: list[str | None] = []
        self._documents = 0

    def mapping(self) -> dict[str, Any]:
        """The finished document. Raises RuleFileError where it is no map."""
        root: object = self.root
        if root is None:
            return {}
        if not isinstance(root, dict):
            raise RuleFileError(Origin(self.file, 1), "the file must hold keys and values")
        return cast(dict[str, Any], root)

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        origin = Origin(self.file, line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RuleFileError(origin, "anchors and aliases are not read", "write the value out")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise RuleFileError(origin, "a second document begins here", "use one file each")
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_tag(event, origin)
            self._enter({} if isinstance(event, yaml.MappingStartEvent) else [], origin)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._key.pop()
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event, origin)
            self._scalar(event, origin)

    def _refuse_tag(self, event: Any, origin: Origin) -> None:
        if event.tag not in (None, "!"):
            raise RuleFileError(origin, f"the tag {event.tag} is not read", "write plain values")

    def _enter(self, container: Any, origin: Origin) -> None:
        if len(self._open) >= _MAXIMUM_DEPTH:
            raise RuleFileError(origin, f"nested deeper than {_MAXIMUM_DEPTH} levels")
        path = self._place(container, origin)
        self._open.append((container, path))
        self._key.append(None)

    def _scalar(self, event: Any, origin: Origin) -> None:
        if self._open and isinstance(self._open[-1][0], dict) and self._key[-1] is None:
            mapping, path = self._open[-1]
            key = event.value
            if key in mapping:
                raise RuleFileError(origin, f"{key!r} is given twice", "keep one of them")
            self._key[-1] = key
            self.origins[(*path, key)] = origin
            return
        value = plain_scalar(event.value, origin) if event.implicit[0] else event.value
        self._place(value, origin)

    def _place(self, value: Any, origin: Origin) -> Path:
        if not self._open:
            self.root = value
            return ()
        container, path = self._open[-1]
        if isinstance(container, list):
            items = cast(list[Any], container)
            items.append(value)
            here: Path = (*path, len(items) - 1)
            self.origins[here] = origin
            return here
        key = self._key[-1]
        if key is None:
            raise RuleFileError(origin, "a key must be plain text")
        container[key] = value
        self._key[-1] = None
        return (*path, key)


def plain_scalar(text: str, origin: Origin) -> Any:
    """What an unquoted YAML scalar means: nothing, yes/no, whole number, decimal, date or text."""
    lowered = text.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    if _INTEGER.fullmatch(text):
        if len(text) > 40:
            raise RuleFileError(origin, f"a number of {len(text)} digits")
        return int(text.replace("_", ""))
    if _FRACTION.fullmatch(text):
        if len(text) > 40:
            raise RuleFileError(origin, f"a number of {len(text)} characters")
        return Decimal(text.replace("_", ""))
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError as problem:
            raise RuleFileError(origin, f"{text} is no date") from problem
    return text


def merge(base: Document, over: Document) -> Document:
    """`over` laid onto `base`; each value keeps the origin of whoever wrote it last."""
    origins = dict(base.origins)
    data = _merged(base.data, over.data, over, (), origins)
    return Document(over.file, data, origins)


def _merged(
    below: dict[str, Any],
    above: dict[str, Any],
    over: Document,
    path: Path,
    origins: dict[Path, Origin],
) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(
                cast(dict[str, Any], result[key]), cast(dict[str, Any], value), over, here, origins
            )
            continue
        for known in [known for known in origins if known[: len(here)] == here]:
            del origins[known]
        if value is None:
            result.pop(key, None)
            continue
        result[key] = value
        origins.update(
            {written: at for written, at in over.origins.items() if written[: len(here)] == here}
        )
    return result


def read_chain(file: str, read: Reader) -> list[Document]:
    """The file and all that it extends, the outermost base first (CFG-4).

    `extends` is a path inside the configuration folder, first tried beside the file that names it.
    `pack:<name>` ends the chain at a pack's own rules. Raises RuleFileError for a cycle, a path
    that leaves the folder, or a file that is not there.
    """
    chain: list[Document] = []
    seen: list[str] = []
    following: str | None = file
    blame = Origin(file, 1)
    while following is not None and not following.startswith("pack:"):
        if following in seen:
            loop = " -> ".join([*seen[seen.index(following) :], following])
            raise RuleFileError(blame, f"`extends` goes in a circle: {loop}", "break it here")
        seen.append(following)
        try:
            document = parse_document(following, read(following))
        except FileNotFoundError as problem:
            raise RuleFileError(blame, f"there is no file {following}") from problem
        chain.append(document)
        blame = document.origin(("extends",))
        following = _extended(document, read)
    return chain[::-1]


def _extended(document: Document, read: Reader) -> str | None:
    target = document.data.get("extends")
    if target is None:
        return None
    if not isinstance(target, str):
        raise document.error(("extends",), "`extends` must be a path", "extends: base_rules.yaml")
    if target.startswith("pack:"):
        return target
    beside = inside(document, str(PurePosixPath(document.file).parent / target))
    try:
        read(beside)
    except FileNotFoundError:
        return inside(document, target)
    return beside


def inside(document: Document, target: str) -> str:
    """`target` without `.` and `..`. Raises RuleFileError where it leaves the folder."""
    parts: list[str] = []
    pure = PurePosixPath(target)
    for part in pure.parts:
        if part == "..":
            if not parts:
                break
            parts.pop()
        elif part != ".":
            parts.append(part)
    else:
        if not pure.is_absolute() and "\\" not in target and "\x00" not in target and parts:
            return "/".join(parts)
    raise document.error(
        ("extends",),
        f"{target!r} leads out of the configuration folder",
        "name a file inside it",
    )
