"""A real Odoo 18 database as a source, and ACE opportunities made for its leads."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from deploy.local.stack import LocalStack
from streams.packs import load_pack

REAL_ODOO = Path(__file__).parents[2].parent / "shared" / "data" / "odoo"

DEALS = """
select l.id,
       coalesce(company.name, nullif(trim(l.partner_name), ''), partner.name) as company,
       coalesce(company.website, l.website) as website,
       l.name as title,
       l.description,
       country.code as country,
       l.date_deadline,
       l.create_date at time zone 'UTC' as created
  from crm_lead l
  left join res_partner partner on partner.id = l.partner_id
  left join res_partner company on company.id = partner.commercial_partner_id
  left join res_country country on country.id = coalesce(l.country_id, company.country_id)
 where coalesce(company.name, nullif(trim(l.partner_name), ''), partner.name) is not null
 order by l.id
"""
"""Every lead and opportunity that says whose it is."""

COUNTERPART = """
insert into apn_opportunity
       (apn_id, customer_company_name, customer_website, project_title, project_description, country,
        target_close_date, stage, review_status, opportunity_ownership, expected_monthly_revenue,
        currency, created_date, last_modified_date)
values (%(apn_id)s, %(company)s, %(website)s, %(title)s, %(description)s, %(country)s,
        %(date_deadline)s, 'Qualified', 'Approved', 'Partner Referral', 1000, 'USD', %(created)s,
        %(created)s)
"""


CONVERSION = """
update crm_lead set type = 'opportunity', date_conversion = now() at time zone 'UTC',
       write_date = now() at time zone 'UTC'
 where type = 'lead' and active and partner_name is not null
"""
"""Leads become opportunities, as Odoo's own button makes them: leads are no deals yet (MATCH-2)."""


def apn_id_of(lead_id: int) -> str:
    """The ACE id of a lead's counterpart."""
    return f"O{7_000_000 + lead_id}"


def create_real_sources(stack: LocalStack, odoo_database: str, apn_database: str) -> None:
    """Odoo's schema and rows as they are, and an ACE opportunity for each deal of a known company."""
    for database in (odoo_database, apn_database):
        with psycopg.connect(stack.postgres_dsn("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    with psycopg.connect(stack.postgres_dsn(odoo_database), autocommit=True) as odoo:
        for part in ("schema.sql", "demo.sql"):
            odoo.execute((REAL_ODOO / part).read_bytes())
        odoo.execute("set search_path to public")
        odoo.execute(CONVERSION)
        deals = odoo.execute(DEALS).fetchall()
        columns = [one.name for one in odoo.execute(DEALS).description or ()]
    script = resources.files("deploy.sample").joinpath("apn.sql").read_bytes()
    with psycopg.connect(stack.postgres_dsn(apn_database)) as apn:
        apn.execute(script)
        apn.execute("insert into apn_users (name, last_modified_date) values ('Vera', now())")
        for deal in deals:
            values = dict(zip(columns, deal, strict=True))
            apn.execute(COUNTERPART, {**values, "apn_id": apn_id_of(values["id"])})


def real_tenant() -> dict[str, Any]:
    """The tenant file; Odoo's tables are those of the pack that a stock database has."""
    schema = (REAL_ODOO / "schema.sql").read_text(encoding="utf-8")
    tables = [
        one for one in load_pack("pod").tables["odoo"] if f"CREATE TABLE public.{one} (" in schema
    ]
    return {
        "sources": {
            "odoo": {"tables": tables, "without": {"res_users": ["password", "totp_secret"]}},
            "apn": {},
        },
        "packs": {"pod": {}},
    }
