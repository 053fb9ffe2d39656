"""Where a webhook may go."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from connectors.webhooks.addresses import AddressRefused, is_public, resolved

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fec0::1",
    ],
)
def test_what_is_not_of_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_what_is_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://localhost/hook", "not public"),
        ("https://127.0.0.1/hook", "not public"),
        ("https://[::1]/hook", "not public"),
        ("https://2130706433/hook", "not public"),
        ("https://0x7f.1/hook", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("http://1.1.1.1/hook", "must begin with https"),
        ("ftp://1.1.1.1/hook", "begins with https"),
        ("https://user:secret@1.1.1.1/", "no user"),
        ("https://1.1.1.1:99999/", "port"),
        ("https:///hook", "names a host"),
    ],
)
async def test_an_address_that_must_not_be_called_is_refused(url: str, why: str) -> None:
    with pytest.raises(AddressRefused, match=why):
        await resolved(url, ())


async def test_own_networks_are_called_also_without_tls() -> None:
    assert await resolved("http://127.0.0.1:8080/hook", LOOPBACK) == (ip_address("127.0.0.1"),)
    with pytest.raises(AddressRefused):
        await resolved("http://10.0.0.1/hook", LOOPBACK)
