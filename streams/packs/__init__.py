"""Packs: one folder a domain, with everything that makes the platform decide about it.

`load_pack` reads a pack's manifest `pack.yaml`: its two sides, its sources with the tables to capture,
and its mapping files. Rules, outcomes, cases and the matcher's model lie beside it; `Pack.file` gives
their text to those who read them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, cast

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from streams.normalise.mapping import MappingError, SourceMapping, merged, read_mapping
from streams.normalise.plan import Plan, compiled_plan

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]

MATCHER_FILE = "matcher.json"
"""The matcher's weights, of the pack's own or shared."""


class PackError(ValueError):
    """A pack cannot be used; the message says what to mend."""


class SourceTables(BaseModel):
    """One source of a pack and the tables that are captured of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    tables: tuple[str, ...]


class Manifest(BaseModel):
    """What `pack.yaml` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    title: str
    description: str = ""
    sides: tuple[_Name, _Name]
    sources: dict[_Name, SourceTables]
    mapping: tuple[str, ...]
    views: str | None = None
    shares: dict[str, _Name] = {}
    """Files that another pack holds and this one uses as they are: file -> pack."""

    @classmethod
    def checked(cls, parsed: object) -> Manifest:
        """The manifest that a parsed file holds. Raises PackError naming every place."""
        try:
            return cls.model_validate(parsed)
        except ValidationError as problem:
            lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
            raise PackError("pack.yaml is invalid:\n" + "\n".join(lines)) from problem


@dataclass(frozen=True)
class Pack:
    """A pack as its folder describes it. `sides` in order: left and right of every pair."""

    manifest: Manifest
    folder: Traversable

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def sides(self) -> tuple[str, str]:
        return self.manifest.sides

    @property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """The captured tables of each source, as `schemas.topics.catalogue` wants them."""
        return {name: source.tables for name, source in self.manifest.sources.items()}

    def has_file(self, name: str) -> bool:
        """Whether the pack's folder has this file."""
        return name in self.manifest.shares or (self.folder / name).is_file()

    def file(self, name: str) -> str:
        """The text of a file of the pack, also of one that it shares. Raises PackError for none."""
        if owner := self.manifest.shares.get(name):
            return load_pack(owner).file(name)
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError as problem:
            raise PackError(f"pack {self.name} has no file {name}") from problem

    def views(self) -> str | None:
        """The SQL of the views that the pack adds to the platform's schemas."""
        return self.file(self.manifest.views) if self.manifest.views else None

    def mappings(self, overlay: Mapping[str, object] | None = None) -> tuple[SourceMapping, ...]:
        """The pack's mappings with a tenant's overrides: mapping file name -> what differs (CFG-9).

        Raises MappingError for an invalid file or an override of a file that is not there.
        """
        overrides = dict(overlay or {})
        read: list[SourceMapping] = []
        for name in self.manifest.mapping:
            parsed = cast("object", yaml.safe_load(self.file(name)))
            override = overrides.pop(name.removeprefix("mapping/").removesuffix(".yaml"), None)
            if override is not None:
                parsed = merged(parsed, override)
            read.append(read_mapping(parsed, f"{self.name}/{name}"))
        if overrides:
            known = ", ".join(self.manifest.mapping)
            raise MappingError(
                f"overrides for {', '.join(sorted(overrides))}: pack {self.name} has only {known}"
            )
        return tuple(read)

    def plan(
        self,
        overlay: Mapping[str, object] | None = None,
        partner_domains: Collection[str] = (),
    ) -> Plan:
        """The compiled mappings of a tenant; `partner_domains` never identify a customer (CFG-5).

        Raises MappingError, also where a table is not captured.
        """
        defaults = {"domain": {"partner_domains": tuple(partner_domains)}}
        plan = compiled_plan(self.mappings(overlay), defaults)
        captured = {f"{source}.{table}" for source, names in self.tables.items() for table in names}
        for name in plan.tables:
            if name.removesuffix(".moves") not in captured:
                raise MappingError(
                    f"pack {self.name}: {name} is mapped but not captured; "
                    "add the table to its source in pack.yaml"
                )
        return plan


_own: list[Traversable] = []
"""The folder of the installation's own packs, once it is known."""


def use_own_packs(folder: Traversable) -> None:
    """From now on the packs of this folder are installed too, beside those that ship.

    The folder need not be there. It takes the place of the one that was named before.
    """
    if _own != [folder]:
        _own[:] = [folder]
        load_pack.cache_clear()


@cache
def load_pack(name: str) -> Pack:
    """The pack of that name. Raises PackError where there is none, or two, or one that is invalid."""
    found = [folder for folder in _folders() if folder.name == name]
    if not found:
        known = ", ".join(installed_packs()) or "none"
        raise PackError(f"there is no pack {name!r}; installed: {known}")
    if len(found) > 1:
        raise PackError(f"{found[1]}: a pack {name} ships with the platform; rename yours")
    [folder] = found
    parsed = cast("object", yaml.safe_load((folder / "pack.yaml").read_text(encoding="utf-8")))
    try:
        manifest = Manifest.checked(parsed)
    except PackError as problem:
        raise PackError(f"pack {name}: {problem}") from problem
    if manifest.name != name:
        raise PackError(f"the manifest in folder {name} names the pack {manifest.name}")
    return Pack(manifest, folder)


def installed_packs() -> tuple[str, ...]:
    """The names of all packs, in order."""
    return tuple(sorted({folder.name for folder in _folders()}))


def _folders() -> list[Traversable]:
    """The folder of every pack, those that ship first."""
    shelves = [files("streams.packs"), *(own for own in _own if own.is_dir())]
    return [one for shelf in shelves for one in shelf.iterdir() if (one / "pack.yaml").is_file()]
