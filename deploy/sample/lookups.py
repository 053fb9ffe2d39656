"""The rows that everything points to: currencies, countries, stages, users, products, the reseller itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from deploy.sample.draft import OWN_COMPANY_ID, Lookups, WorldDraft
from deploy.sample.tables import Row
from deploy.sample.vocabulary import (
    PARTNER_DOMAINS,
    PARTNER_NAME,
    countries,
    slug,
    themes,
    words,
)

UNMAPPED_PRODUCT = "AmazonUnlistedPreview"
"""A product of the cost report that the catalogue does not know."""

STAGES = (
    ("new", "New", "Nouveau", False),
    ("qualified", "Qualified", "Qualifié", False),
    ("proposition", "Proposition", "Proposition", False),
    ("won", "Won", "Gagné", True),
)
_SERVICES = (
    ("LW-MANAGED", "Managed operations", "Exploitation"),
    ("LW-MIGRATE", "Migration workshop", "Atelier de migration"),
    ("LW-REVIEW", "Architecture review", "Revue d'architecture"),
    ("LW-TRAINING", "Training day", "Journée de formation"),
)
_LOST_REASONS = ("Too expensive", "No budget", "Went to a competitor", "Project stopped")
_TAGS = ("Migration", "New logo", "Public sector", "Renewal", "Funded")
_TEAMS = (
    ("Direct sales", "Ventes directes"),
    ("Channel", "Partenaires"),
    ("Public sector", "Public"),
)
_USERS = 9
PAYERS = 3


def add_lookups(draft: WorldDraft) -> None:
    """Write the lookup rows and remember their ids in `draft.lookups`."""
    born = draft.moment(draft.days_ago(1500))
    stamp: Row = {"create_uid": 1, "write_uid": 1, "create_date": born, "write_date": born}
    currency_ids = _add_currencies(draft, stamp)
    country_ids, state_ids = _add_countries(draft, stamp, currency_ids)
    industry_ids = [
        draft.odoo.insert(
            "res_partner_industry",
            {"name": {"en_US": name}, "full_name": {"en_US": name}, "active": True, **stamp},
        )
        for name, _ in words()["industries"]
    ]
    own_partner_id = _add_own_company(draft, stamp, currency_ids, country_ids)
    team_ids = [
        draft.odoo.insert(
            "crm_team",
            {
                "name": {"en_US": english, "fr_FR": french},
                "sequence": 10 * order,
                "company_id": OWN_COMPANY_ID,
                "active": True,
                "use_leads": True,
                "use_opportunities": True,
                **stamp,
            },
        )
        for order, (english, french) in enumerate(_TEAMS)
    ]
    draft.lookups = Lookups(
        country_ids=country_ids,
        state_ids=state_ids,
        currency_ids=currency_ids,
        industry_ids=industry_ids,
        stage_ids=_add_stages(draft, stamp),
        team_ids=team_ids,
        user_ids=_add_users(draft, stamp, own_partner_id, team_ids),
        lost_reason_ids=[
            draft.odoo.insert(
                "crm_lost_reason", {"name": {"en_US": reason}, "active": True, **stamp}
            )
            for reason in _LOST_REASONS
        ],
        tag_ids=[
            draft.odoo.insert("crm_tag", {"name": {"en_US": tag}, "color": color, **stamp})
            for color, tag in enumerate(_TAGS)
        ],
        product_ids=_add_products(draft, stamp),
        own_partner_id=own_partner_id,
        payer_account_ids=_add_payers(draft, stamp, own_partner_id),
    )


def _add_currencies(draft: WorldDraft, stamp: Row) -> dict[str, int]:
    codes = dict.fromkeys(["USD", "EUR", *(country.currency for country in countries())])
    return {
        code: draft.odoo.insert(
            "res_currency",
            {
                "name": code,
                "symbol": {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}.get(code, code),
                "full_name": code,
                "decimal_places": 0 if code == "JPY" else 2,
                "rounding": Decimal(1) if code == "JPY" else Decimal("0.01"),
                "active": True,
                **stamp,
            },
        )
        for code in codes
    }


def _add_countries(
    draft: WorldDraft, stamp: Row, currency_ids: dict[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    country_ids: dict[str, int] = {}
    state_ids: dict[str, int] = {}
    for country in countries():
        country_ids[country.code] = draft.odoo.insert(
            "res_country",
            {
                "name": {"en_US": country.name, "fr_FR": country.french},
                "code": country.code,
                "currency_id": currency_ids[country.currency],
                **stamp,
            },
        )
        for _, state in country.cities:
            if state is not None:
                state_ids[state] = draft.odoo.insert(
                    "res_country_state",
                    {
                        "country_id": country_ids[country.code],
                        "name": words()["states"][state],
                        "code": state,
                        **stamp,
                    },
                )
    return country_ids, state_ids


def _add_own_company(
    draft: WorldDraft, stamp: Row, currency_ids: dict[str, int], country_ids: dict[str, int]
) -> int:
    partner_id = draft.odoo.insert(
        "res_partner",
        {
            "name": PARTNER_NAME,
            "complete_name": PARTNER_NAME,
            "commercial_company_name": PARTNER_NAME,
            "commercial_partner_id": draft.odoo.next_id("res_partner"),
            "is_company": True,
            "type": "contact",
            "website": f"https://www.{PARTNER_DOMAINS[0]}",
            "email": f"hello@{PARTNER_DOMAINS[0]}",
            "country_id": country_ids["NL"],
            "active": True,
            "autopost_bills": "ask",
            **stamp,
        },
    )
    draft.odoo.insert(
        "res_company",
        {
            "id": OWN_COMPANY_ID,
            "name": PARTNER_NAME,
            "partner_id": partner_id,
            "currency_id": currency_ids["USD"],
            **stamp,
        },
    )
    draft.names.reserve(PARTNER_NAME)
    draft.names.label("lanternworks")
    return partner_id


def _add_stages(draft: WorldDraft, stamp: Row) -> dict[str, int]:
    return {
        key: draft.odoo.insert(
            "crm_stage",
            {
                "name": {"en_US": english, "fr_FR": french},
                "sequence": order,
                "is_won": is_won,
                "fold": False,
                **stamp,
            },
        )
        for order, (key, english, french, is_won) in enumerate(STAGES)
    }


def _add_users(
    draft: WorldDraft, stamp: Row, own_partner_id: int, team_ids: list[int]
) -> list[int]:
    user_ids: list[int] = []
    for number in range(_USERS):
        person = draft.names.person()
        email = f"{person.email_local}@{PARTNER_DOMAINS[0]}"
        partner_id = draft.odoo.insert(
            "res_partner",
            {
                "name": person.name,
                "complete_name": f"{PARTNER_NAME}, {person.name}",
                "parent_id": own_partner_id,
                "commercial_partner_id": own_partner_id,
                "is_company": False,
                "type": "contact",
                "email": email,
                "email_normalized": email,
                "phone": person.phone,
                "employee": True,
                "active": True,
                "autopost_bills": "ask",
                **stamp,
            },
        )
        user_ids.append(
            draft.odoo.insert(
                "res_users",
                {
                    "company_id": OWN_COMPANY_ID,
                    "partner_id": partner_id,
                    "login": email,
                    "active": True,
                    "share": False,
                    "sale_team_id": team_ids[number % len(team_ids)],
                    "notification_type": "email",
                    **stamp,
                },
            )
        )
        draft.apn.insert(
            "apn_users",
            {
                "name": person.name,
                "email": email,
                "role": "alliance lead" if number == 0 else "ace user",
                "active": True,
                "last_modified_date": draft.zoned_moment(draft.days_ago(900)),
            },
        )
    return user_ids


def _add_products(draft: WorldDraft, stamp: Row) -> dict[str, int]:
    codes = dict.fromkeys(code for theme in themes() for code in theme.products)
    catalogue = [(code, code, code, "consu") for code in codes]
    catalogue += [(code, english, french, "service") for code, english, french in _SERVICES]
    product_ids: dict[str, int] = {}
    for code, english, french, kind in catalogue:
        template_id = draft.odoo.insert(
            "product_template",
            {
                "name": {"en_US": english, "fr_FR": french},
                "sequence": 1,
                "categ_id": 1,
                "type": kind,
                "service_tracking": "no",
                "default_code": code,
                "list_price": draft.money(100, 2000),
                "sale_ok": True,
                "purchase_ok": False,
                "active": True,
                **stamp,
            },
        )
        product_ids[code] = draft.odoo.insert(
            "product_product",
            {
                "product_tmpl_id": template_id,
                "default_code": code,
                "standard_price": {"1": float(draft.money(50, 900))},
                "active": True,
                **stamp,
            },
        )
    return product_ids


def _add_payers(draft: WorldDraft, stamp: Row, own_partner_id: int) -> list[int]:
    opened: datetime = stamp["create_date"] + timedelta(days=1)
    return [
        draft.odoo.insert(
            "c_aws_accounts",
            {
                "account_number": f"{10_000 + number:012d}",
                "name": f"{slug(PARTNER_NAME)}-payer-{number + 1}",
                "partner_id": own_partner_id,
                "is_payer": True,
                "status": "active",
                **stamp,
                "create_date": opened,
            },
        )
        for number in range(PAYERS)
    ]
