"""Rows of any number for speed: companies on two sides, and deals of them; equal seeds, equal rows."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from deploy.sample.vocabulary import themes, words

COMPANY_COLUMNS = ("id", "name", "domain", "city", "country")
_BEGINNINGS = (
    "b",
    "br",
    "ch",
    "d",
    "f",
    "gl",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "v",
)
_MIDDLES = ("a", "e", "i", "o", "u", "ai", "ea", "io", "ou")
_ENDINGS = ("l", "ld", "m", "n", "nd", "r", "rn", "rt", "s", "st", "t", "x", "nt", "lk")
_FORMS = ("Ltd", "Inc", "GmbH", "SA", "B.V.", "Pty Ltd", "LLC", "AB")
_PLACES = (("Oslo", "Norway"), ("Graz", "Austria"), ("Porto", "Portugal"), ("Perth", "Australia"))
_FIRST_DAY = date(2026, 9, 1)


@dataclass(frozen=True, slots=True)
class GeneratedCompany:
    """A company: its name without legal form, its web domain, its place."""

    name: str
    domain: str
    city: str
    country: str


def companies(rng: random.Random) -> Iterator[GeneratedCompany]:
    """Companies without end; their number of different first words grows with them."""
    while True:
        syllables = [
            rng.choice(_BEGINNINGS) + rng.choice(_MIDDLES) + rng.choice(_ENDINGS) for _ in range(3)
        ]
        head = "".join(syllables[: rng.choice((2, 2, 3))])
        city, country = rng.choice(_PLACES)
        name = f"{head.capitalize()} {rng.choice(words()['trades'])}"
        yield GeneratedCompany(name, f"{head}.example", city, country)


def write_company_sides(folder: Path, rows: int, seed: int) -> tuple[Path, Path]:
    """`left.csv` and `right.csv` of `rows` companies each, six of ten on both sides."""
    rng = random.Random(seed)
    source = companies(rng)
    shared = [next(source) for _ in range(rows * 6 // 10)]
    paths: list[Path] = []
    for side in ("left", "right"):
        mine = [*shared, *(next(source) for _ in range(rows - len(shared)))]
        rng.shuffle(mine)
        paths.append(folder / f"{side}.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COMPANY_COLUMNS)
            for number, company in enumerate(mine):
                writer.writerow((f"{side[0]}{number}", *_written(company, rng)))
    return paths[0], paths[1]


def _written(company: GeneratedCompany, rng: random.Random) -> tuple[str, str, str, str]:
    name = f"{company.name} {rng.choice(_FORMS)}" if rng.random() < 0.7 else company.name
    return (
        name.upper() if rng.random() < 0.2 else name,
        company.domain if rng.random() < 0.5 else "",
        company.city if rng.random() < 0.5 else "",
        company.country if rng.random() < 0.7 else "",
    )


def deal_fields(count: int, seed: int) -> Iterator[dict[str, str]]:
    """`count` deals of a third as many companies, as fields of core records."""
    rng = random.Random(seed)
    source = companies(random.Random(seed // 2))
    customers = [next(source) for _ in range(max(count // 3, 1))]
    for _ in range(count):
        name, domain, city, country = _written(rng.choice(customers), rng)
        theme = rng.choice(themes())
        facts = {
            "count": str(rng.randint(6, 900)),
            "city": city,
            "system": rng.choice(words()["systems"]),
            "month": rng.choice(words()["months"]),
        }
        created = _FIRST_DAY + timedelta(days=rng.randint(0, 80))
        yield {
            "company_name": name,
            "website": domain,
            "city": city,
            "country": country,
            "title": rng.choice(theme.crm_titles).format(**facts),
            "description": rng.choice(theme.crm_texts).format(**facts),
            "expected_revenue": str(rng.randint(4, 120) * 100),
            "currency": "USD",
            "created_at": f"{created.isoformat()}T08:00:00Z",
            "expected_close": (created + timedelta(days=rng.randint(40, 200))).isoformat(),
        }
