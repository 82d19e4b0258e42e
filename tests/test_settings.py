"""Settings come from the environment; a wrong or unknown one is named, and no secret shows itself."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import fields
from support import reference_pages

from triage.settings import Settings, SettingsError, load

URL = "postgresql://triage:hunter2@db1,db2:5433/triage?target_session_attrs=read-write"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TRIAGE_PROT", "8000"),
        ("TRIAGE_PORT", "eighty"),
        ("TRIAGE_PORT", "70000"),
        ("TRIAGE_PORT", ""),
        ("TRIAGE_DATABASE_URL", "mysql://hunter2@db/triage"),
        ("TRIAGE_DATABASE_URL", ""),
        ("TRIAGE_LOG_LEVEL", "loud"),
        ("TRIAGE_COMMAND_TIMEOUT_S", "0"),
        ("TRIAGE_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example"),
        ("TRIAGE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRIAGE_DATABASE_URL_FILE", "/nowhere/hunter2"),
        ("TRIAGE_PORT_FILE", "/dev/null"),
        ("TRIAGE_METRICS_TOKEN_FILE", "/dev/null"),
    ],
)
def test_a_wrong_or_unknown_setting_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: ") as refusal:
        load({name: text})
    assert "hunter2" not in str(refusal.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        load({"TRIAGE_PORT": "x", "TRIAGE_HOST": "::1", "TRIAGE_SYNC_LIMIT": "0", "TRIAGE_NONSENSE": "1"})
    named = [line.split(":")[0] for line in str(refusal.value).splitlines()]
    assert named == ["TRIAGE_NONSENSE", "TRIAGE_PORT", "TRIAGE_SYNC_LIMIT"]


def test_other_variables_and_those_of_tests_are_left_alone() -> None:
    environ = {"PATH": "/bin", "TRIAGE_PG_BIN": "/opt/pg/bin", "TRIAGE_TEST_DATABASE_URL": "postgresql:///postgres"}
    assert load(environ) == load({})


def test_secrets_do_not_show_themselves() -> None:
    settings = load({"TRIAGE_DATABASE_URL": URL, "TRIAGE_METRICS_TOKEN": "hunter2"})
    assert "hunter2" not in repr(settings)
    assert (settings.database_url, settings.metrics_token) == (URL, "hunter2")


def test_a_secret_may_stand_in_a_file_but_not_in_both_places(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    environ = {"TRIAGE_DATABASE_URL_FILE": str(tmp_path / "url")}
    with pytest.raises(SettingsError, match="TRIAGE_DATABASE_URL is set, too"):
        load(environ | {"TRIAGE_DATABASE_URL": URL})
    assert load(environ) == load({"TRIAGE_DATABASE_URL": URL})


def test_a_root_key_file_is_a_setting_and_no_secret_in_a_file() -> None:
    assert load({"TRIAGE_ROOT_KEY_FILE": "/srv/root.key"}).root_key_file == Path("/srv/root.key")


def test_trusted_proxies_are_addresses_and_networks() -> None:
    proxies = load({"TRIAGE_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::7"}).trusted_proxies
    assert [address in proxies for address in ("10.9.8.7", "2001:db8::7", "11.0.0.1", "2001:db8::8", "", "unix:")] == [
        *(True, True),
        *(False, False, False, False),
    ]
    assert "127.0.0.1" not in load({}).trusted_proxies


def test_values_are_read_by_type() -> None:
    settings = load({"TRIAGE_PORT": "0", "TRIAGE_COMMAND_TIMEOUT_S": "2.5", "TRIAGE_DATA_DIR": "/srv/triage"})
    assert (settings.port, settings.command_timeout_s, settings.data_dir) == (0, 2.5, Path("/srv/triage"))


def test_files_lie_in_the_data_directory_unless_named() -> None:
    settings = load({"TRIAGE_DATA_DIR": "/srv/triage", "TRIAGE_JOURNAL": "/mnt/journal"})
    assert settings.root_key_file == Path("/srv/triage/root.key")
    assert settings.journal == Path("/mnt/journal")


def test_no_database_means_the_embedded_one() -> None:
    settings = load({})
    assert (settings.database_url, settings.owner_database_url, settings.keys_database_url) == (None, None, None)


def test_one_database_address_is_enough() -> None:
    settings = load({"TRIAGE_DATABASE_URL": URL})
    assert settings.owner_database_url == URL
    assert settings.keys_database_url == URL.replace("/triage?", "/triage_keys?")
    assert "hunter2" not in repr(settings.keys_database_url)


def test_the_owner_and_the_key_store_may_have_addresses_of_their_own() -> None:
    owner, keys = "postgresql://owner@db/triage", "postgresql://keys@elsewhere/keys"
    environ = {"TRIAGE_DATABASE_URL": URL, "TRIAGE_OWNER_DATABASE_URL": owner, "TRIAGE_KEYS_DATABASE_URL": keys}
    settings = load(environ)
    assert (settings.owner_database_url, settings.keys_database_url) == (owner, keys)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load({}).port = 1  # type: ignore[misc]


def test_the_table_has_a_row_for_every_setting() -> None:
    page = reference_pages.settings()
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| `")]
    assert [row[0] for row in rows] == [
        *(f"| `TRIAGE_{field.name.upper()}`" for field in fields(Settings)),
        "| `TRIAGE_PG_BIN`",
    ]
    assert all(len(row) == 4 and all(row) for row in rows)
    assert "None" not in page


def test_defaults_are_within_their_own_limits() -> None:
    for field in fields(Settings):
        if isinstance(field.default, (int, float, str)):
            assert msgspec.convert(field.default, field.type) == field.default
