"""Messages: signed, without figures, repeated until they arrive or are given up, never to a private network."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver
from standardwebhooks import Webhook
from support.published import SUNDAY, TEN, detained
from support.team_log import TEAM, TeamLog, incident_id, open_team_log

from triage.jobs import deliver
from triage.jobs.alerts import raise_alerts
from triage.jobs.deliver import Sender, webhook_secret
from triage.jobs.publish import PublishOptions, publish_due
from triage.people.encryption import load_or_create_root
from triage.settings import Settings
from triage.store import outbox
from triage.store.database import Database
from triage.store.outbox import BACK_OFF, Channel, Topic

LINK = "https://triage.example.org/review/summaries/daily/2026-11-21?edition=1"


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2026, 11, 21)) as team:
        yield team


@pytest_asyncio.fixture
async def web() -> AsyncIterator[WebReceiver]:
    async with web_receiver() as receiver:
        yield receiver


@pytest_asyncio.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    async with mail_receiver() as receiver:
        yield receiver


def sender(directory: Path, **settings: Any) -> Sender:
    given: dict[str, Any] = {
        "webhook_private_addresses": True,
        "delivery_timeout_s": 5.0,
        "smtp_security": "none",
    } | settings
    return Sender(Settings(**given), load_or_create_root(directory / "root.key"))


async def announce(team: TeamLog, channel: Channel, address: str) -> UUID:
    """A summary is published to one destination."""
    async with team.database.team(TEAM) as connection:
        destination = await outbox.add_destination(connection, TEAM, channel, address, ["summary", "alert"])
    await team.tell("officer_1", "officer", 1, TEN, occurred_at=TEN, area="luton_west")
    await publish_due(team.database, SUNDAY, PublishOptions(public_url="https://triage.example.org"))
    return destination


async def deliver_due(database: Database, sender: Sender, now: datetime) -> int:
    """Both jobs that deliver, at one instant; how many attempts they made."""
    return sum([await deliver.deliver_due(database, sender, topic, lambda: now) for topic in get_args(Topic)])


async def waiting(team: TeamLog) -> list[outbox.UndeliveredMessage]:
    async with team.database.team(TEAM) as connection:
        return await outbox.undelivered(connection, TEAM)


async def outcomes(team: TeamLog) -> list[str]:
    async with team.database.team(TEAM) as connection:
        rows = await connection.fetch("SELECT outcome FROM delivery_attempt ORDER BY at, n")
    return [row["outcome"] for row in rows]


# --- webhooks ---


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://127.0.0.1:{port}/hook", "address_private"),
        ("https://localhost:{port}/hook", "address_private"),
        ("https://[::1]:{port}/hook", "address_private"),
        ("https://[::ffff:127.0.0.1]:{port}/hook", "address_private"),
        ("https://10.1.2.3/hook", "address_private"),
        ("https://169.254.169.254/latest/meta-data", "address_private"),
        ("https://0.0.0.0:{port}/hook", "address_private"),
        ("http://example.org/hook", "address_invalid"),
        ("https://user:password@example.org/hook", "address_invalid"),
        ("https://example.org:port/hook", "address_invalid"),
        ("file:///etc/passwd", "address_invalid"),
        ("https:///hook", "address_invalid"),
    ],
)
async def test_nothing_goes_to_a_private_network(
    team: TeamLog, web: WebReceiver, tmp_path: Path, address: str, why: str
) -> None:
    await announce(team, "webhook", address.format(port=web.port))
    await deliver_due(team.database, sender(tmp_path, webhook_private_addresses=False), SUNDAY)
    assert await outcomes(team) == [why]
    assert web.requests == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("302 Found\r\nLocation: /elsewhere", "http_302"),
        ("500 Internal Server Error", "http_500"),
        ("404 Not Found", "http_404"),
        (None, "timeout"),
    ],
)
async def test_what_is_not_taken_is_not_delivered(
    team: TeamLog, web: WebReceiver, tmp_path: Path, answer: str | None, why: str
) -> None:
    web.answers = [answer]
    await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook")
    await deliver_due(team.database, sender(tmp_path, delivery_timeout_s=30.0 if answer else 0.3), SUNDAY)
    assert await outcomes(team) == [why]
    assert [request.line for request in web.requests] == ["POST /hook HTTP/1.1"]
    assert len(await waiting(team)) == 1


async def test_a_receiver_that_is_not_there_is_tried_again(team: TeamLog, web: WebReceiver, tmp_path: Path) -> None:
    await announce(team, "webhook", "http://127.0.0.1:1/hook")
    await deliver_due(team.database, sender(tmp_path), SUNDAY)
    assert await outcomes(team) == ["connection_failed"]


async def test_a_webhook_verifies_with_the_library_of_the_specification(
    team: TeamLog, web: WebReceiver, tmp_path: Path
) -> None:
    now = datetime.now(UTC)  # the library refuses old time stamps by the real clock
    destination = await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook?a=b")
    sending = sender(tmp_path)
    assert await deliver_due(team.database, sending, now) == 1
    [request] = web.requests
    assert request.line == "POST /hook?a=b HTTP/1.1" and request.headers["host"] == f"127.0.0.1:{web.port}"
    told_to_receiver: Any = Webhook(webhook_secret(sending.root, destination)).verify(request.body, request.headers)
    assert told_to_receiver["type"] == "summary.published"
    assert set(told_to_receiver["data"]) == {
        "team", "kind", "form", "period", "edition", "chain_head", "late", "link"
    }  # fmt: skip
    assert told_to_receiver["data"]["link"] == LINK
    assert await waiting(team) == [] and await deliver_due(team.database, sending, now) == 0


async def test_a_receiver_that_fails_for_days_leaves_a_dead_letter_that_can_be_replayed(
    team: TeamLog, web: WebReceiver, tmp_path: Path
) -> None:
    web.answers = ["500 Internal Server Error"]
    await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook")
    sending, now = sender(tmp_path), SUNDAY
    for pause in BACK_OFF:
        assert await deliver_due(team.database, sending, now) == 1
        assert await deliver_due(team.database, sending, now + pause - timedelta(seconds=1)) == 0
        now += pause
    assert max(BACK_OFF) == timedelta(hours=24)
    await deliver_due(team.database, sending, now)
    [dead] = await waiting(team)
    assert (dead.attempts, dead.last_outcome, dead.dead_at) == (len(BACK_OFF) + 1, "http_500", now)
    assert await deliver_due(team.database, sending, now + timedelta(days=30)) == 0
    web.answers = ["204 No Content"]
    async with team.database.team(TEAM) as connection:
        assert await outbox.replay(connection, TEAM, now) == 1
    await deliver_due(team.database, sending, now)
    assert await waiting(team) == [] and len({request.headers["webhook-id"] for request in web.requests}) == 1
    assert len({request.body for request in web.requests}) == 1
    async with team.database.team(TEAM) as connection:
        attempts = await connection.fetch(
            "SELECT n, outcome FROM delivery_attempt WHERE team_id = $1 AND outbox_id = $2 ORDER BY n", TEAM, dead.id
        )
    assert [attempt["n"] for attempt in attempts] == list(range(1, len(BACK_OFF) + 3))
    assert [attempt["outcome"] for attempt in attempts][-2:] == ["http_500", "delivered"]


async def test_a_message_that_hangs_holds_up_no_other(team: TeamLog, web: WebReceiver, tmp_path: Path) -> None:
    web.answers = [None, "200 OK"]
    for name in ("one", "two"):
        async with team.database.team(TEAM) as connection:
            address = f"http://127.0.0.1:{web.port}/{name}"
            await outbox.add_destination(connection, TEAM, "webhook", address, ["summary"])
    await publish_due(team.database, SUNDAY)
    delivering = asyncio.create_task(deliver_due(team.database, sender(tmp_path, delivery_timeout_s=30.0), SUNDAY))
    while await outcomes(team) != ["delivered"]:
        assert not delivering.done()
    assert len(web.requests) == 2
    delivering.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await delivering


async def test_summaries_for_a_receiver_that_hangs_cost_one_attempt_and_hold_up_no_alert(
    team: TeamLog, web: WebReceiver, tmp_path: Path
) -> None:
    web.answers = [None, "200 OK"]
    async with team.database.team(TEAM) as connection:
        for topic in ("summary", "alert"):
            address = f"http://127.0.0.1:{web.port}/{topic}"
            await outbox.add_destination(connection, TEAM, "webhook", address, [topic])
    start = SUNDAY + timedelta(days=9)
    await publish_due(team.database, start)
    assert len(await waiting(team)) > 5
    sending = sender(tmp_path, delivery_timeout_s=30.0)
    summaries = asyncio.create_task(deliver.deliver_due(team.database, sending, "summary", lambda: start))
    await asyncio.wait_for(web.came.wait(), 10)
    await detained(team, "police_station", age=15)
    await raise_alerts(team.database, TEN)
    sent_at = start + timedelta(minutes=3)
    assert await deliver.deliver_due(team.database, sending, "alert", lambda: sent_at) == 1
    assert [request.line.split()[1] for request in web.requests] == ["/summary", "/alert"]
    assert web.requests[-1].headers["webhook-timestamp"] == str(int(sent_at.timestamp()))
    summaries.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await summaries


async def test_every_attempt_has_its_own_time(team: TeamLog, web: WebReceiver, tmp_path: Path) -> None:
    async with team.database.team(TEAM) as connection:
        await outbox.add_destination(connection, TEAM, "webhook", f"http://127.0.0.1:{web.port}/", ["summary"])
    due = SUNDAY + timedelta(days=1)
    await publish_due(team.database, due)
    minutes = (due + timedelta(minutes=n) for n in itertools.count())
    await deliver.deliver_due(team.database, sender(tmp_path), "summary", lambda: next(minutes))
    stamps = [int(request.headers["webhook-timestamp"]) for request in web.requests]
    assert len(stamps) > 1 and stamps == sorted(set(stamps))


async def test_a_message_whose_process_died_while_it_was_on_its_way_is_sent_again_later(
    team: TeamLog, web: WebReceiver, tmp_path: Path
) -> None:
    web.answers = [None, "200 OK"]
    await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook")
    sending = sender(tmp_path, delivery_timeout_s=30.0)
    dying = asyncio.create_task(deliver_due(team.database, sending, SUNDAY))
    await asyncio.wait_for(web.came.wait(), 10)
    dying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await dying
    assert await deliver_due(team.database, sending, SUNDAY) == 0
    assert await deliver_due(team.database, sending, SUNDAY + timedelta(minutes=1)) == 1
    assert len({request.headers["webhook-id"] for request in web.requests}) == 1 and await waiting(team) == []


async def disclosures(team: TeamLog) -> list[tuple[str, list[UUID], str]]:
    """What the audit says was disclosed: the kind of message, the incidents it is of, and to whom."""
    owner = await asyncpg.connect(team.url)
    try:
        rows = await owner.fetch(
            "SELECT query, ids, recipient FROM audit WHERE operation = 'disclosure' ORDER BY at, id"
        )
    finally:
        await owner.close()
    return [(row["query"], row["ids"], row["recipient"]) for row in rows]


async def test_what_was_delivered_is_a_disclosure_and_what_was_not_is_none(
    team: TeamLog, web: WebReceiver, mail: MailReceiver, tmp_path: Path
) -> None:
    web.answers = ["500 Internal Server Error", "200 OK"]
    hook = await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook?key=secret")
    async with team.database.team(TEAM) as connection:
        post = await outbox.add_destination(connection, TEAM, "email", "sergeant@example.org", ["alert"])
    sending = sender(tmp_path, smtp_host="127.0.0.1", smtp_port=mail.port)
    await deliver_due(team.database, sending, SUNDAY)
    assert await disclosures(team) == []
    await deliver_due(team.database, sending, SUNDAY + BACK_OFF[0])
    query = "message summary daily 2026-11-21 internal 1"
    assert await disclosures(team) == [(query, [], f"webhook {hook} 127.0.0.1")]
    web.answers = ["410 Gone"]
    await detained(team, "police_station", age=15)
    await raise_alerts(team.database, TEN)
    await deliver_due(team.database, sending, TEN)
    [_, (query, ids, recipient)] = await disclosures(team)
    assert (query, ids) == ("message alert under_18_police_station", [incident_id(1)])
    assert recipient == f"email {post} sergeant@example.org"


async def test_a_disabled_destination_gets_nothing_more(team: TeamLog, web: WebReceiver, tmp_path: Path) -> None:
    destination = await announce(team, "webhook", f"http://127.0.0.1:{web.port}/hook")
    async with team.database.team(TEAM) as connection:
        await outbox.disable_destination(connection, TEAM, destination, SUNDAY)
    await deliver_due(team.database, sender(tmp_path), SUNDAY)
    [dead] = await waiting(team)
    assert dead.dead_at == SUNDAY and web.requests == []


async def test_a_payload_is_frozen(team: TeamLog) -> None:
    await announce(team, "webhook", "https://example.org/hook")
    async with team.database.team(TEAM) as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("UPDATE outbox SET payload = '{}'")


# --- e-mail ---


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A certificate for 127.0.0.1 that nobody vouches for, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "mail.pem"
    no_password = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    yield file, context


async def test_without_a_mail_server_the_message_waits(team: TeamLog, tmp_path: Path) -> None:
    await announce(team, "email", "sergeant@example.org")
    await deliver_due(team.database, sender(tmp_path), SUNDAY)
    assert await outcomes(team) == ["smtp_not_configured"] and len(await waiting(team)) == 1


async def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(
    team: TeamLog, tmp_path: Path, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    await announce(team, "email", "sergeant@example.org")
    async with mail_receiver(certificate[1]) as mail:
        sending = sender(tmp_path, smtp_host="127.0.0.1", smtp_port=mail.port, smtp_security="starttls")
        await deliver_due(team.database, sending, SUNDAY)
    assert await outcomes(team) == ["smtp_failed"] and mail.mails == []


async def test_mail_goes_by_starttls(
    team: TeamLog,
    tmp_path: Path,
    certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    await announce(team, "email", "sergeant@example.org")
    async with mail_receiver(certificate[1]) as mail:
        sending = sender(tmp_path, smtp_host="127.0.0.1", smtp_port=mail.port, smtp_security="starttls")
        await deliver_due(team.database, sending, SUNDAY)
    assert await outcomes(team) == ["delivered"] and len(mail.mails) == 1


async def test_a_mail_has_status_and_link_as_text_and_html_and_no_figures(
    team: TeamLog, mail: MailReceiver, tmp_path: Path
) -> None:
    await announce(team, "email", "sergeant@example.org")
    await deliver_due(team.database, sender(tmp_path, smtp_host="127.0.0.1", smtp_port=mail.port), SUNDAY)
    [delivered] = mail.mails
    assert (delivered["To"], delivered["Subject"]) == (
        "sergeant@example.org",
        "Test team: daily summary 2026-11-21, edition 1",
    )
    text, html = [part.get_content() for part in delivered.iter_parts()]
    assert text.splitlines()[-1] == LINK and f'href="{LINK}"' in html
    chain_head = text.split("Chain head: ")[1].split()[0]
    assert len(chain_head) == 64
    rest = text.replace(LINK, "").replace(chain_head, "").replace("2026-11-21", "").replace("edition 1", "")
    assert not any(character.isdigit() for character in rest)


async def test_a_server_that_drops_the_connection_after_data_gets_the_same_message_again(
    team: TeamLog, mail: MailReceiver, tmp_path: Path
) -> None:
    mail.drops = 1
    await announce(team, "email", "sergeant@example.org")
    sending = sender(tmp_path, smtp_host="127.0.0.1", smtp_port=mail.port)
    await deliver_due(team.database, sending, SUNDAY)
    await deliver_due(team.database, sending, SUNDAY + BACK_OFF[0])
    assert await outcomes(team) == ["smtp_failed", "delivered"]
    first, second = mail.mails
    assert first["Message-ID"] == second["Message-ID"]
