"""One attempt to deliver a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from connectors.webhooks.addresses import AddressRefused, Network, Pinned, resolved

GONE = 410
_USER_AGENT = "revops-webhooks/1"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt. `status` is None where no answer came; `detail` says what went wrong.

    `retry_after` is how long the other side asks to be left alone.
    """

    status: int | None
    detail: str = ""
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the other side wants no more of it, ever."""
        return self.status == GONE


async def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    timeout_seconds: float,
    allowed: Sequence[Network] = (),
) -> Attempt:
    """Sends a body once. A redirect is a failure: nothing is ever sent to where it points.

    What the other side answers is not read, and nothing of it is kept but the status.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await resolved(url, allowed)
            connector = TCPConnector(resolver=Pinned(addresses), use_dns_cache=False)
            async with (
                ClientSession(connector=connector, timeout=ClientTimeout(total=None)) as session,
                session.post(
                    url,
                    data=body,
                    headers={
                        "content-type": "application/json",
                        "user-agent": _USER_AGENT,
                        **headers,
                    },
                    allow_redirects=False,
                ) as answer,
            ):
                return _answered(answer.status, answer.headers.get("retry-after"))
    except TimeoutError:
        return Attempt(None, f"no answer within {timeout_seconds:g} s")
    except AddressRefused as problem:
        return Attempt(None, f"refused: {problem}")
    except (ClientError, OSError) as problem:
        return Attempt(None, f"{type(problem).__name__}: {problem}")


def _answered(status: int, retry_after: str | None) -> Attempt:
    if 200 <= status < 300:
        return Attempt(status)
    if 300 <= status < 400:
        return Attempt(status, f"status {status}: a redirect, which is not followed")
    return Attempt(status, f"status {status}", _wait(retry_after))


def _wait(text: str | None) -> timedelta | None:
    """The wait of a Retry-After header: seconds or a date (RFC 9110, section 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return timedelta(seconds=min(int(text), 10**7))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - datetime.now(UTC), timedelta(0))
