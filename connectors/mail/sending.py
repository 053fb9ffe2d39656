"""One attempt to send an e-mail by SMTP."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server that takes mails, and how it is spoken to."""

    host: str
    port: int
    encryption: Literal["starttls", "tls", "none"]
    username: str | None = None
    password: str | None = None
    timeout_seconds: float = 15.0


class MailFailed(Exception):  # noqa: N818 - it tells what happened to a mail
    """A mail was not taken; `for_good` says that trying again is of no use."""

    def __init__(self, detail: str, *, for_good: bool) -> None:
        super().__init__(detail)
        self.for_good = for_good


def composed(
    *, sender: str, to: Sequence[str], subject: str, text: str, delivery_id: str, at: datetime
) -> EmailMessage:
    """The mail. Its Message-ID and date are the same at every attempt, so that a mail that came twice
    is known as one (AM-14).
    """
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{delivery_id}@{sender.rpartition('@')[2].rstrip('>') or 'revops'}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


async def send(server: MailServer, mail: EmailMessage) -> None:
    """Hands a mail to the server. Raises MailFailed."""
    await asyncio.to_thread(_send, server, mail)


def _send(server: MailServer, mail: EmailMessage) -> None:
    try:
        with _connected(server) as client:
            if server.username:
                client.login(server.username, server.password or "")
            refused = client.send_message(mail)
    except smtplib.SMTPRecipientsRefused as problem:
        codes = [code for code, _ in problem.recipients.values()]
        raise MailFailed(
            f"no recipient was accepted: {codes}", for_good=all(code >= 500 for code in codes)
        ) from problem
    except smtplib.SMTPResponseException as problem:
        raise MailFailed(
            f"the server answered {problem.smtp_code}", for_good=problem.smtp_code >= 500
        ) from problem
    except (smtplib.SMTPException, OSError) as problem:
        raise MailFailed(f"{type(problem).__name__}: {problem}", for_good=False) from problem
    if refused:
        raise MailFailed(f"refused for {', '.join(sorted(refused))}", for_good=True)


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.encryption == "tls":
        return smtplib.SMTP_SSL(
            server.host, server.port, timeout=server.timeout_seconds, context=context
        )
    client = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
    if server.encryption == "starttls":
        client.starttls(context=context)
    return client
