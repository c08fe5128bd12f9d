"""Notifications, sent to servers on this machine; and that no secret gets out."""

from __future__ import annotations

import json
import socketserver
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from labctl.campaign.errors import NotificationError
from labctl.campaign.notifying import Notifier, missing_variables, send_email, send_webhook
from labctl.campaign.schema import EmailTable, NotifyTable, WebhookTable

USER, PASSWORD, HOOK = "night-owl", "pa55-w0rd!", "/hook/s3cret-t0ken?key=s3cret"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return key and certificate of `localhost`, signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("this machine has no openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return SimpleNamespace(file=certificate, context=context)


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a mail takes; offers STARTTLS and asks for AUTH PLAIN."""

    def handle(self):
        box = self.server
        if box.security == "tls":
            self._secure()
        self._say("220 localhost")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            box.commands.append(line.decode().strip())
            if word == b"EHLO":
                offers = ["250-localhost", "250-AUTH PLAIN"]
                offers += ["250-STARTTLS"] if box.security == "starttls" else []
                self._say(*offers, "250 8BITMIME")
            elif word == b"STARTTLS":
                self._say("220 go on")
                self._secure()
                box.was_secured = True
            elif word == b"AUTH":
                self._say(f"535 no, {PASSWORD} is wrong" if box.refuses else "235 welcome")
            elif word == b"DATA":
                self._say("354 go on")
                box.mails.append(self._mail())
                self._say("250 taken")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def finish(self):
        super().finish()
        self.connection.close()

    def _mail(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.decode())
        return "".join(lines)

    def _say(self, *lines):
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def _secure(self):
        self.connection = self.server.certificate.context.wrap_socket(
            self.request, server_side=True
        )
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        return


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mail_server(certificate):
    """Return a function that starts a mail server of some security."""

    @contextmanager
    def start(security, *, refuses=False):
        class Server(socketserver.ThreadingTCPServer):
            def handle_error(self, request, client_address):
                return  # a client that does not trust it hangs up

        server = Server(("localhost", 0), Mailbox)
        server.certificate, server.security, server.refuses = certificate, security, refuses
        server.commands, server.mails, server.was_secured = [], [], False
        with serving(server):
            yield server

    return start


@pytest.fixture
def hook_server(certificate):
    @contextmanager
    def start(*, tls=True, status=200):
        server = HTTPServer(("localhost", 0), Hook)
        server.posts, server.status = [], status
        if tls:
            server.socket = certificate.context.wrap_socket(server.socket, server_side=True)
        with serving(server):
            yield server

    return start


def _email(server, certificate, **changes):
    facts = {
        "host": "localhost",
        "port": server.server_address[1],
        "security": server.security,
        "ca_file": certificate.file,
        "user_variable": "MAIL_USER",
        "password_variable": "MAIL_PASSWORD",
        "sender": "bench@lab.example",
        "to": ["me@lab.example"],
    }
    return EmailTable(**{**facts, **changes})


SECRETS = {"MAIL_USER": USER, "MAIL_PASSWORD": PASSWORD}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_email_is_sent_over_a_secured_line_only(mail_server, certificate, security):
    with mail_server(security) as server:
        send_email(_email(server, certificate), SECRETS, "labctl: night failed", "check_01: why")

    assert "Subject: labctl: night failed" in server.mails[0]
    assert "check_01: why" in server.mails[0]
    assert server.was_secured == (security == "starttls")
    spoken = " ".join(server.commands)
    assert spoken.index("AUTH") > spoken.find("STARTTLS")


def test_a_server_that_offers_no_starttls_gets_no_mail(mail_server, certificate):
    with mail_server("plain") as server:
        table = _email(server, certificate, security="starttls")
        with pytest.raises(NotificationError, match="SMTPNotSupportedError"):
            send_email(table, SECRETS, "s", "t")

    assert server.mails == []
    assert not any(line.startswith("AUTH") for line in server.commands)


def test_plain_mail_is_sent_only_where_the_plan_says_plain(mail_server, certificate):
    with mail_server("plain") as server:
        table = _email(server, certificate, user_variable=None, password_variable=None)
        send_email(table, {}, "s", "t")

    assert len(server.mails) == 1


def test_a_server_that_nobody_vouches_for_gets_no_mail(mail_server, certificate):
    with mail_server("starttls") as server:
        table = _email(server, certificate, ca_file=None)
        with pytest.raises(NotificationError, match="SSLCertVerificationError"):
            send_email(table, SECRETS, "s", "t")

    assert server.mails == []


@pytest.mark.parametrize("tls", [True, False])
def test_a_webhook_gets_the_text_as_json(hook_server, certificate, tls):
    with hook_server(tls=tls) as server:
        scheme = "https" if tls else "http"
        address = f"{scheme}://localhost:{server.server_address[1]}{HOOK}"
        table = WebhookTable(address_variable="HOOK", plain=not tls, ca_file=certificate.file)
        send_webhook(table, {"HOOK": address}, "labctl: night failed", "why")

    ((path, body),) = server.posts
    assert path == HOOK
    assert body["text"] == "labctl: night failed\nwhy"


ADDRESSES = [
    "http://localhost:1/hook/s3cret-t0ken",
    "https://localhost:1/hook/s3cret-t0ken",
    "https://s3cret-t0ken.invalid/",
    "s3cret-t0ken",
    "https://localhost:99999/s3cret-t0ken",
    "https://local host/s3cret-t0ken\x01",
    "https://[s3cret-t0ken/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_wrong_with_a_webhook_is_told_without_its_address(address):
    with pytest.raises(NotificationError, match=r"webhook of \$HOOK") as told:
        send_webhook(WebhookTable(address_variable="HOOK"), {"HOOK": address}, "s", "t")

    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None


def test_no_secret_stands_in_anything_that_a_campaign_writes(
    plan_file, tmp_path, mail_server, hook_server, certificate, capfd, caplog, monkeypatch
):
    from labctl.cli.root import run_command_line

    with mail_server("starttls", refuses=True) as mail, hook_server(status=500) as hook:
        monkeypatch.setenv("MAIL_USER", USER)
        monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
        monkeypatch.setenv("HOOK", f"https://localhost:{hook.server_address[1]}{HOOK}")
        plan = plan_file(
            f"""
            [jobs.loops]
            procedure = "IVSweep"
            bench = "sim-board"
            parameters = {{ cells = "0/0/0", cycles = 1, step = "0.5V" }}
            [notify.email]
            host = "localhost"
            port = {mail.server_address[1]}
            ca_file = "{certificate.file}"
            user_variable = "MAIL_USER"
            password_variable = "MAIL_PASSWORD"
            sender = "bench@lab.example"
            to = ["me@lab.example"]
            [notify.webhook]
            address_variable = "HOOK"
            ca_file = "{certificate.file}"
            """
        )
        caplog.set_level("DEBUG", logger="labctl")
        code = run_command_line(["campaign", "run", plan, "--folder", str(tmp_path / "home")])
        run_command_line(["campaign", "status", plan, "--folder", str(tmp_path / "home"), "--json"])

    printed = capfd.readouterr()
    written = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file())
    everything = written + (printed.out + printed.err + caplog.text).encode()
    assert code == 0
    assert len(hook.posts) == 1
    assert b"SMTPAuthenticationError, code 535" in everything
    assert b"webhook of $HOOK: the server answers 500" in everything
    for secret in (USER, PASSWORD, "s3cret", "t0ken"):
        assert secret.encode() not in everything


def test_only_what_the_plan_names_is_told(hook_server, certificate):
    with hook_server() as server:
        address = f"https://localhost:{server.server_address[1]}{HOOK}"
        webhook = WebhookTable(address_variable="HOOK", ca_file=certificate.file)
        table = NotifyTable(on=["failed"], webhook=webhook)
        with Notifier(table, "night", {"HOOK": address}) as notifier:
            notifier.tell("ended", "a: done")
            notifier.tell("failed", "b: why")
            notifier.tell("looked", "c")

    assert [body["text"] for _, body in server.posts] == ["labctl: night failed\nb: why"]


def test_a_variable_that_is_not_set_is_named_before_anything_is_begun(plan_file, capsys, tmp_path):
    from labctl.cli.root import run_command_line

    table = NotifyTable(webhook=WebhookTable(address_variable="NO_SUCH_HOOK"))
    plan = plan_file(
        '[jobs.a]\nprocedure = "IVSweep"\nbench = "sim-board"\n'
        '[notify.webhook]\naddress_variable = "NO_SUCH_HOOK"'
    )

    code = run_command_line(["campaign", "run", plan, "--folder", str(tmp_path / "home")])

    assert missing_variables(table, {}) == ["NO_SUCH_HOOK"]
    assert code == 2
    assert "environment variable NO_SUCH_HOOK is not set" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_desktop_without_a_program_for_it_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = []

    with Notifier(NotifyTable(on=["failed"], desktop=True), "night", {}) as notifier:
        notifier.unheard = told.append
        notifier.tell("failed", "why")

    assert told == ["desktop: there is no notify-send or osascript"]


def test_the_desktops_own_program_gets_subject_and_text(monkeypatch, tmp_path):
    program, seen = tmp_path / "notify-send", tmp_path / "seen"
    program.write_text(f'#!/bin/sh\nfor word; do echo "$word"; done > {seen}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with Notifier(NotifyTable(on=["failed"], desktop=True), "night", {}) as notifier:
        notifier.tell("failed", "why")

    assert seen.read_text().splitlines()[-2:] == ["labctl: night failed", "why"]
