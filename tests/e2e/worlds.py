"""Sample worlds of tenants that must never meet: every id and name in common, no deal in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from deploy.sample.generate import SampleSize, SampleWorld
from deploy.sample.tables import SourceDatabase

AS_OF = date(2026, 11, 20)
SMALL = SampleSize(
    most_pairs=2, hard_cases=False, crm_only=8, leads=6, ace_only=6, closed_pairs=4,
    months=3, products=(1, 1),
)  # fmt: skip


def neighbouring_worlds(tenants: tuple[str, str]) -> dict[str, SampleWorld]:
    """Two tenants with one CRM, row by row the same ids, companies, domains and account numbers.

    The ACE opportunities are dealt out between them, so that most deals of one have their counterpart
    with the other. `token_of` stands in the phone column of every CRM company and in the owner's name
    of every ACE opportunity; the second tenant's costs are twice the first one's.
    """
    whole = SampleWorld.build(7, AS_OF, SMALL)
    return {
        tenant: replace(whole, odoo=_crm(whole, tenant, half), apn=_ace(whole, tenant, half))
        for half, tenant in enumerate(tenants)
    }


def token_of(tenant: str) -> str:
    """A word that stands in the rows of this tenant's sources alone."""
    return f"zq{tenant}qz"


def ace_ids(world: SampleWorld) -> set[str]:
    return {str(row["apn_id"]) for row in world.apn.rows("apn_opportunity")}


def _ace(world: SampleWorld, tenant: str, half: int) -> SourceDatabase:
    ace = world.apn.copy()
    for key, row in list(ace["apn_opportunity"].items()):
        if _half_of(row["apn_id"]) != half:
            del ace["apn_opportunity"][key]
        row["owner_name"] = token_of(tenant)
    return ace


def _crm(world: SampleWorld, tenant: str, half: int) -> SourceDatabase:
    crm = world.odoo.copy()
    for partner in crm["res_partner"].values():
        partner["phone"] = token_of(tenant)
    for lead in crm["crm_lead"].values():
        lead["phone"] = None  # the core record then shows its company's
        if lead.get("x_apn_id") and _half_of(lead["x_apn_id"]) != half:
            lead["x_apn_id"] = None
    for cost in crm["c_billing_internal_cur"].values():
        cost["cost"] *= 1 + half
    return crm


def _half_of(apn_id: str) -> int:
    """0 or 1, about evenly."""
    return int(apn_id[1:]) % 2
