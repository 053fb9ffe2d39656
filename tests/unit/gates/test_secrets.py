"""No credential is committed, and the scan for them finds what it should."""

from __future__ import annotations

import re

import pytest

from tests.unit.gates.tracked import places_of

PLACEHOLDER = r"[{$<%*]|\.\.\.|secret|password|changeme"
CREDENTIALS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "AWS secret key": re.compile(
        r"(?i)aws.{0,20}(?:secret|key).{0,20}['\"=: ][0-9a-z/+]{40}(?![0-9a-z/+])"
    ),
    "token of a service": re.compile(
        r"\b(?:gh[pousr]_[0-9A-Za-z]{30,}|github_pat_\w{30,}|xox[abprs]-[0-9A-Za-z-]{10,}"
        r"|sk-[0-9A-Za-z_-]{20,}|hf_[0-9A-Za-z]{30,}|glpat-[\w-]{20,})"
    ),
    "password in an address": re.compile(
        rf"(?i)\b[a-z][a-z0-9+]*://[^\s/:@'\"]+:(?!{PLACEHOLDER})[^\s/:@'\"{{}}]{{8,}}@"
    ),
    "password assigned": re.compile(
        rf"(?i)\b\w*(?:password|passwd|api_?key|auth_?token)\w*['\"]?\s*[=:]\s*['\"]"
        rf"(?!{PLACEHOLDER}|[\w.]*\.password['\"])[^'\"\s]{{8,}}['\"]"
    ),
}
PLANTED = {
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "AWS access key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "AWS secret key": "aws_secret_access_key = " + "abcdefghij" * 4,
    "token of a service": "ghp_" + "a1B2" * 9,
    "password in an address": "postgresql://revops" + ":hunter2hunter2@db.example/revops",
    "password assigned": "db_password = " + "'hunter2hunter2'",
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_no_credential_is_committed(kind: str) -> None:
    assert list(places_of(CREDENTIALS[kind])) == []


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_scan_finds_a_planted_credential(kind: str) -> None:
    assert CREDENTIALS[kind].search(PLANTED[kind])


@pytest.mark.parametrize(
    "harmless",
    [
        "postgresql://{role}:{password}@{host}/{database}",
        "postgresql://revops:${REVOPS_PASSWORD}@postgres/revops",
        '"database.password": "{secret}"',
        'PASSWORD_SETTING = "database.password"',
        "password = settings.password.get_secret_value()",
    ],
)
def test_scan_passes_placeholders(harmless: str) -> None:
    assert not [kind for kind, pattern in CREDENTIALS.items() if pattern.search(harmless)]
