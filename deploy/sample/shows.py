"""The samples that can be shown: for each pack a tenant, its sources with rows, and a day of changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from deploy.sample.csp.day import plan_csp_day
from deploy.sample.csp.world import CspWorld
from deploy.sample.day import plan_day
from deploy.sample.generate import SampleWorld
from deploy.sample.tables import SourceContent
from deploy.sample.transactions import Transaction

_DEPLOY = Path(__file__).parents[1]


class Day(Protocol):
    """Transactions in their order, and the outcome that each certain pair has in the end."""

    @property
    def transactions(self) -> Sequence[Transaction]: ...

    @property
    def outcomes(self) -> Mapping[tuple[int, str], str] | Mapping[tuple[str, str], str]: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sample's sources hold, by the source's name, and the day that then happens in them."""

    sources: Mapping[str, SourceContent]
    day: Day


@dataclass(frozen=True, slots=True)
class Show:
    """A sample of one pack. `build` makes it of a seed and the as-of date; equal seeds give equal ones."""

    pack: str
    tenant: str
    tenant_file: Path
    build: Callable[[int, date], Shown]


def _pod(seed: int, as_of: date) -> Shown:
    world = SampleWorld.build(seed, as_of)
    return Shown(world.sources, plan_day(world, seed))


def _csp(seed: int, as_of: date) -> Shown:
    world = CspWorld.build(seed, as_of)
    return Shown(world.sources, plan_csp_day(world, seed))


SHOWS: Mapping[str, Show] = {
    show.pack: show
    for show in (
        Show("pod", "home", _DEPLOY / "config" / "tenants" / "home.yaml", _pod),
        Show("csp", "harbour", _DEPLOY / "sample" / "config" / "tenants" / "harbour.yaml", _csp),
    )
}
"""The first one is shown where nobody names another."""
