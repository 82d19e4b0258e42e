"""Which issuers may be configured, and what is said of a file of them that cannot be used."""

from pathlib import Path

import msgspec
import pytest
from support.loopback_issuer import AUDIENCE

from triage.access import oidc
from triage.access.oidc import Issuer, IssuersFault, OidcClient

# --- configuration


@pytest.mark.parametrize(
    "url", ["http://issuer.example", "https://", "issuer.example", "https://i.example/?a=b", "ftp://i"]
)
def test_an_issuer_that_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Issuer(url=url, audience=AUDIENCE)


def test_an_id_token_can_never_pass_for_an_access_token_by_audience() -> None:
    with pytest.raises(ValueError, match="client id"):
        Issuer(url="https://i.example", audience="pages", login=OidcClient(client_id="pages"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "issuer = 1",
        "[[issuer]]\nurl = 'https://i.example'",
        "[[issuer]]\nurl = 'http://i.example'\naudience = 'a'",
        "[[issuer]]\nurl = 'https://i.example'\naudience = 'a'\nalgorithms = ['HS256']",
        "[[issuer]]\nurl = 'https://i.example'\naudience = 'a'\nscope = 'b'",
        "[[issuer]]\nurl = 'https://i.example'\naudience = 'a'\n" * 2,
        "[[",
    ],
)
def test_a_wrong_file_of_issuers_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(content)
    with pytest.raises(IssuersFault, match=r"issuers\.toml"):
        oidc.load_issuers(path)


def test_a_missing_file_of_issuers_is_named(tmp_path: Path) -> None:
    with pytest.raises(IssuersFault, match=r"issuers\.toml: No such file"):
        oidc.load_issuers(tmp_path / "issuers.toml")


def test_issuers_are_read_from_a_file_and_keep_their_secret(tmp_path: Path) -> None:
    path = tmp_path / "issuers.toml"
    path.write_text(
        "[[issuer]]\nurl = 'https://police.example'\naudience = 'a'\n"
        "[[issuer]]\nurl = 'https://trust.example'\naudience = 'a'\ntyped = false\nalgorithms = ['ES256']\n"
        "login = {client_id = 'pages', client_secret = 'hush'}\n"
    )
    police, trust = oidc.load_issuers(path)
    assert police == Issuer(url="https://police.example", audience="a")
    assert trust.login is not None and trust.login.client_secret == "hush"
    assert (trust.typed, trust.algorithms) == (False, ("ES256",))
    assert "hush" not in repr(trust)
    assert msgspec.structs.asdict(police)["login"] is None
