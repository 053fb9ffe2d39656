"""The tenant files of an installation, read and checked (`<config directory>/tenants/*.yaml`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from schemas.tenants import Tenant
from streams.packs import load_pack, use_own_packs


class TenantFileError(ValueError):
    """A tenant file cannot be used; the message names file, field and mend."""


def load_tenants(directory: Path) -> dict[str, Tenant]:
    """Every tenant by name, each source with the tables that its packs declare.

    From then on the packs of the same directory are installed beside those that ship. Raises
    TenantFileError for a file that is no YAML, does not fit, or is named for another tenant.
    """
    folder = directory / "tenants"
    if not folder.is_dir():
        raise TenantFileError(
            f"{folder} is not there: REVOPS_CONFIG__DIRECTORY must name a folder with tenants/*.yaml"
        )
    use_own_packs(own_packs(directory))
    return {path.stem: _tenant(path) for path in sorted(folder.glob("*.yaml"))}


def own_packs(directory: Path) -> Path:
    """The folder of an installation's own packs, which need not be there."""
    return directory / "packs"


def packs_in_use(tenants: Iterable[Tenant]) -> tuple[str, ...]:
    """The packs that some tenant uses, in order: those whose topics there are."""
    return tuple(sorted({pack for tenant in tenants for pack in tenant.packs}))


def partner_domains(tenant: Tenant, pack: str) -> Collection[str]:
    """The tenant's own mail and web domains, which never identify an end customer (CFG-5)."""
    named = tenant.packs[pack].rules.get("partner_domains", ()) if pack in tenant.packs else ()
    return frozenset(str(one).removeprefix("@").casefold() for one in named)


def _tenant(path: Path) -> Tenant:
    try:
        parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
        tenant = Tenant.model_validate(parsed)
    except yaml.YAMLError as problem:
        raise TenantFileError(f"{path.name} is not YAML: {problem}") from problem
    except ValidationError as problem:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors()]
        raise TenantFileError(f"{path.name} does not fit:\n" + "\n".join(lines)) from problem
    if tenant.tenant != path.stem:
        raise TenantFileError(
            f"{path.name} describes the tenant {tenant.tenant}: name the file {tenant.tenant}.yaml"
        )
    try:
        return tenant.with_tables({name: load_pack(name).tables for name in tenant.packs})
    except ValueError as problem:
        raise TenantFileError(f"{path.name}: {problem}") from problem
