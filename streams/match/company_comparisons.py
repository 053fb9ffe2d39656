"""The evidence that two records speak of one company: name, web domain, place, phone, vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rapidfuzz.distance import JaroWinkler

from streams.match.arrays import MISSING, Floats, alike, listed
from streams.match.comparison import Comparison, Profile, Values, flags
from streams.match.pairs import PairTable
from streams.match.prepared import PreparedRecord
from streams.normalise.countries import COUNTRY_WORDS


def _name_columns(*columns: str) -> Callable[[PairTable], Sequence[Floats]]:
    def measure(table: PairTable) -> Sequence[Floats]:
        return [table.name_evidence[column] for column in columns]

    return measure


def _names(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.name, right.record.name


def _name(name: str, title: str, **expected: float) -> Comparison:
    return Comparison(name, title, expected, _name_columns(*expected), _names)


def _domain(table: PairTable) -> Sequence[Floats]:
    shared, left, right = table.domains_shared
    sharing = _names_sharing(table)
    both = (left > 0) & (right > 0)
    equal = shared > 0
    agrees = (table.name_evidence["shared_least"] + table.name_evidence["shared_most"]) / 2.0
    same_label = (table.shared(lambda record: record.labels)[0] > 0) & ~equal
    differ = both & ~equal & ~same_label
    left_own, right_own = table.numbers(lambda record: float(_label_is_name(record, record)))
    return [
        flags(equal) / sharing,
        flags(equal) * np.minimum(agrees, 1.0),
        flags(same_label),
        flags(differ),
        flags(differ & (left_own > 0) & (right_own > 0)),
    ]


def _names_sharing(table: PairTable) -> Floats:
    """How many companies use the best domain of each pair (the most trusted of either side)."""
    sharing = table.statistics.names_sharing
    left, right = table.numbers(
        lambda record: float(min((sharing(domain) for domain in record.domains), default=1))
    )
    return np.maximum(np.maximum(left, right), 1.0)


def _domains(left: PreparedRecord, right: PreparedRecord) -> Values:
    return ", ".join(left.domains) or None, ", ".join(right.domains) or None


def _label(table: PairTable) -> Sequence[Floats]:
    """Each name against the other's domain label, where one of the two has no domain of its own."""
    _, left_domains, right_domains = table.domains_shared
    open_question = (left_domains == 0) | (right_domains == 0)
    best = np.zeros(len(table))
    seen = np.zeros(len(table), dtype=bool)
    equal = np.zeros(len(table), dtype=bool)
    for named, labelled, own, other in (
        (table.left, table.right, table.left_index, table.right_index),
        (table.right, table.left, table.right_index, table.left_index),
    ):
        has_name = np.array([bool(record.names) for record in named], dtype=bool)
        has_label = np.array([bool(record.labels) for record in labelled], dtype=bool)
        rows = np.flatnonzero(open_question & has_name[own] & has_label[other])
        couples = [
            (named[mine], labelled[its])
            for mine, its in zip(listed(own[rows]), listed(other[rows]), strict=True)
        ]
        names = [mine.names[0].compact[:64] for mine, _ in couples]
        near = alike(names, [its.labels[0] for _, its in couples], JaroWinkler.similarity)
        best[rows] = np.maximum(best[rows], near)
        equal[rows] |= np.array([_label_is_name(*couple) for couple in couples], dtype=bool)
        seen[rows] = True
    far = seen & ~equal & (best < 0.7)
    return [flags(equal), flags(seen) * np.maximum(best - 0.6, 0.0) / 0.4, flags(far)]


def _label_is_name(named: PreparedRecord, labelled: PreparedRecord) -> bool:
    """Whether a domain label is the whole name, its first word(s) or its initials."""
    return any(label in named.labels_of_name for label in labelled.labels)


def _labels(left: PreparedRecord, right: PreparedRecord) -> Values:
    return (
        left.record.name if not left.domains else left.domains[0],
        right.domains[0] if right.domains else right.record.name,
    )


def _country(table: PairTable) -> Sequence[Floats]:
    left, right = table.codes(lambda record: record.country)
    known = (left != MISSING) & (right != MISSING)
    implied_left, implied_right = table.codes(
        lambda record: record.country or record.domain_country
    )
    implied = (implied_left != MISSING) & (implied_right != MISSING) & ~known
    return [
        flags(known & (left == right)),
        flags(known & (left != right)),
        flags(implied & (implied_left != implied_right)),
        _country_in_name_elsewhere(table),
    ]


def _country_in_name_elsewhere(table: PairTable) -> Floats:
    """1 where one record's name says a country and the other record is in another."""

    def said(record: PreparedRecord) -> str | None:
        words = (word for name in record.names[:1] for word in name.words)
        return next((COUNTRY_WORDS[word] for word in words if word in COUNTRY_WORDS), None)

    def where(record: PreparedRecord) -> str | None:
        return record.country

    result = np.zeros(len(table), dtype=bool)
    said_left, where_right = table.crossed_codes(said, where)
    result |= (said_left != MISSING) & (where_right != MISSING) & (said_left != where_right)
    where_left, said_right = table.crossed_codes(where, said)
    result |= (where_left != MISSING) & (said_right != MISSING) & (where_left != said_right)
    return flags(result)


def _countries(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.country or left.domain_country, right.record.country or right.domain_country


def _city(table: PairTable) -> Sequence[Floats]:
    left, right = table.codes(lambda record: record.city)
    known = (left != MISSING) & (right != MISSING)
    left_latin, right_latin = table.numbers(lambda record: float(record.city_in_latin))
    one_script = left_latin == right_latin
    return [flags(known & (left == right)), flags(known & (left != right) & one_script)]


def _cities(left: PreparedRecord, right: PreparedRecord) -> Values:
    return left.record.city, right.record.city


def _phone(table: PairTable) -> Sequence[Floats]:
    shared, left, right = table.shared(lambda record: record.record.phones)
    return [flags(shared > 0), flags((shared == 0) & (left > 0) & (right > 0))]


def _phones(left: PreparedRecord, right: PreparedRecord) -> Values:
    return ", ".join(left.record.phones) or None, ", ".join(right.record.phones) or None


def _vectors(table: PairTable) -> Sequence[Floats]:
    if table.semantic is None:
        return [np.zeros(len(table))]
    cosines = [e.identity if e and e.identity is not None else 0.0 for e in table.semantic]
    return [np.maximum(np.array(cosines, dtype=np.float64) - 0.4, 0.0) / 0.6]


NAME_WORDS = _name(
    "name",
    "Company name",
    equal=1.5,
    core_equal=1.0,
    shared_least=1.5,
    shared_most=1.0,
    exact_least=1.0,
    exact_most=1.0,
    weight=1.5,
    exact_weight=1.0,
    first_word=1.0,
    first_found=1.0,
)
NAME_ALONE = _name(
    "name_alone",
    "Words only one name has",
    alone_least=-0.5,
    alone_most=-0.5,
    core_least=-1.0,
    core_most=-0.5,
    single_least=-1.5,
    single_most=-1.5,
    plain=-1.0,
    country_alone=-2.0,
)
NAME_SPELLING = _name(
    "name_spelling", "Spelling of the names", jaro_winkler=1.0, letters=1.0, soft_abbreviated=1.0
)
NAME_INITIALS = _name("name_initials", "One name is the other's initials", initials=3.0)
NAME_NUMBERS = _name(
    "name_numbers",
    "Numbers in the names",
    numbers_differ=-3.5,
    number_alone=-0.2,
    series_alone=-3.0,
)
LEGAL_FORM = _name(
    "legal_form", "Legal form", forms_same=0.3, forms_differ=-0.7, bodies_differ=-0.7
)
OTHER_NAME = _name("other_name", "Matched by an alias or former name", other_name=-0.3)
DOMAIN = Comparison(
    "domain",
    "Web domain",
    {
        "equal": 1.0,
        "equal_and_named": 2.5,
        "same_label": 1.0,
        "differ": -0.8,
        "differ_and_named": -3.0,
    },
    _domain,
    _domains,
)
DOMAIN_LABEL = Comparison(
    "domain_label",
    "Name against web domain",
    {"is_name": 1.0, "near": 0.8, "far": -0.5},
    _label,
    _labels,
)
COUNTRY = Comparison(
    "country",
    "Country",
    {"same": 0.7, "differ": -1.0, "implied_differ": -0.4, "in_name_differs": -1.2},
    _country,
    _countries,
)
CITY = Comparison("city", "City", {"same": 0.5, "differ": -0.4}, _city, _cities)
PHONE = Comparison("phone", "Phone", {"same": 2.5, "differ": -0.3}, _phone, _phones)
SEMANTIC = Comparison(
    "semantic", "Meaning of the names (vectors)", {"identity": 2.0}, _vectors, _names
)

COMPANY = Profile(
    "company",
    (
        NAME_WORDS,
        NAME_ALONE,
        NAME_SPELLING,
        NAME_INITIALS,
        NAME_NUMBERS,
        LEGAL_FORM,
        OTHER_NAME,
        DOMAIN,
        DOMAIN_LABEL,
        COUNTRY,
        CITY,
        PHONE,
    ),
)
