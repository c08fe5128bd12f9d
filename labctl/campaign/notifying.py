"""Who is told of what: e-mail, webhook, desktop. No message, error or log line tells a secret.

Sending is done by a thread of its own, so that no mail server keeps a bench waiting; what cannot be
sent is said in the journal, and harms nothing else.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import queue
import shutil
import smtplib
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from labctl.campaign.errors import NotificationError
from labctl.campaign.schema import EmailTable, NotifyTable, WebhookTable

log = logging.getLogger(__name__)

_TIMEOUT = 20.0
"""Longest wait for a server's answer, in s."""
_LAST_WAIT = 30.0
"""Longest wait for messages that are still under way when the campaign ends, in s."""
_PORTS = {"starttls": 587, "tls": 465, "plain": 25}
_TOLD_AS: Mapping[str, str] = {
    "begun": "began",
    "ended": "ended",
    "failed": "failed",
    "suspended": "suspended",
    "stopped": "stopped",
    "finished": "finished",
}
"""Entries of the journal that somebody may want to be told of, and what a plan calls them."""

Message = tuple[str, str]
Channel = Callable[[str, str], None]


class Notifier:
    """Tells whom a plan names of what happens in a campaign.

    Parameters
    ----------
    table : NotifyTable
        Who, and of what.
    campaign : str
        Name of the campaign: messages begin with it.
    environ : mapping, optional
        Where secrets are; by default the environment.
    """

    def __init__(
        self, table: NotifyTable, campaign: str, environ: Mapping[str, str] | None = None
    ) -> None:
        self._table = table
        self._campaign = campaign
        self._channels = channels(table, os.environ if environ is None else environ)
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self.unheard: Callable[[str], None] = log.warning
        """Takes what could not be sent, and why."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._messages.put(None)
        self._thread.join(_LAST_WAIT)

    def tell(self, kind: str, text: str) -> None:
        """Tell of an entry of the journal, if the plan wants it told; return at once."""
        if _TOLD_AS.get(kind) in self._table.on and self._channels:
            self._messages.put((kind, text))

    def _send_all(self) -> None:
        while (message := self._messages.get()) is not None:
            kind, text = message
            for send in self._channels:
                try:
                    send(f"labctl: {self._campaign} {_TOLD_AS[kind]}", text)
                except NotificationError as error:
                    self.unheard(str(error))


def channels(table: NotifyTable, environ: Mapping[str, str]) -> list[Channel]:
    """Return one function a channel that a plan names; each takes subject and text."""
    found: list[Channel] = []
    email, webhook = table.email, table.webhook
    if email is not None:
        found.append(lambda subject, text: send_email(email, environ, subject, text))
    if webhook is not None:
        found.append(lambda subject, text: send_webhook(webhook, environ, subject, text))
    if table.desktop:
        found.append(show_on_desktop)
    return found


def missing_variables(table: NotifyTable, environ: Mapping[str, str]) -> list[str]:
    """Return the names of the environment variables that a plan names and that are not set."""
    named = [table.webhook.address_variable] if table.webhook else []
    if table.email:
        named += [table.email.user_variable or "", table.email.password_variable or ""]
    return [name for name in named if name and not environ.get(name)]


def send_email(table: EmailTable, environ: Mapping[str, str], subject: str, text: str) -> None:
    """Send one e-mail.

    Raises
    ------
    NotificationError
        If it cannot be sent; it names the server and the kind of failure, never a secret.
    """
    message = EmailMessage()
    message["Subject"] = " ".join(subject.split())
    message["From"], message["To"] = table.sender, ", ".join(table.to)
    message.set_content(text)
    try:
        with _connected(table) as server:
            if table.user_variable and table.password_variable:
                user = _secret(table.user_variable, environ)
                server.login(user, _secret(table.password_variable, environ))
            server.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotificationError(f"e-mail by {table.host}: {_kind_of(error)}") from None


def _connected(table: EmailTable) -> smtplib.SMTP:
    port = table.port or _PORTS[table.security]
    if table.security == "plain":
        return smtplib.SMTP(table.host, port, timeout=_TIMEOUT)
    context = _context(table.ca_file)
    if table.security == "tls":
        return smtplib.SMTP_SSL(table.host, port, timeout=_TIMEOUT, context=context)
    server = smtplib.SMTP(table.host, port, timeout=_TIMEOUT)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def send_webhook(table: WebhookTable, environ: Mapping[str, str], subject: str, text: str) -> None:
    """POST one message as JSON with the keys `text` and `content`.

    Redirections are not followed: they would carry a secret address elsewhere.

    Raises
    ------
    NotificationError
        If it cannot be sent; it names the variable and the kind of failure, never the address.
    """
    where = f"webhook of ${table.address_variable}"
    address = _secret(table.address_variable, environ)
    told = f"{subject}\n{text}"
    body = json.dumps({"text": told, "content": told}).encode()
    try:
        parts = urlsplit(address)
        connection = _connection(table, parts.scheme, parts.hostname or "", parts.port)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise NotificationError(f"{where}: {_kind_of(error)}") from None
    if not 200 <= status < 300:
        raise NotificationError(f"{where}: the server answers {status}")


def _connection(
    table: WebhookTable, scheme: str, host: str, port: int | None
) -> http.client.HTTPConnection:
    if scheme == "https":
        context = _context(table.ca_file)
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
    if scheme == "http" and table.plain:
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    where = f"webhook of ${table.address_variable}"
    raise NotificationError(f"{where}: the address must begin with https:// (or say plain = true)")


def show_on_desktop(subject: str, text: str) -> None:
    """Show a message by the desktop's own program, where there is one.

    Raises
    ------
    NotificationError
        If there is none, or it fails.
    """
    program = shutil.which("osascript" if sys.platform == "darwin" else "notify-send")
    if program is None:
        raise NotificationError("desktop: there is no notify-send or osascript")
    if sys.platform == "darwin":
        script = "on run {t, b}\ndisplay notification b with title t\nend run"
        command = [program, "-e", script, subject, text]
    else:
        command = [program, "--app-name=labctl", "--", subject, text]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotificationError(f"desktop: {type(error).__name__}") from error


def _secret(variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        raise NotificationError(f"the environment variable {variable} is not set")
    return value


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))


def _kind_of(error: Exception) -> str:
    """Return what went wrong without the words of a server or a library, which may repeat us."""
    told = type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{told}, code {error.smtp_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{told}, code {error.verify_code}"  # its message names the host
    if isinstance(error, OSError) and error.strerror:
        return f"{told}: {error.strerror}"
    return told
