"""An identity provider on the loopback address, for tests: it signs tokens, publishes its keys, and can misbehave."""

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://triage.example/api"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def new_key(algorithm: str) -> Key:
    """A private key fit for RS256 or ES256."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


@cache
def _published_key(algorithm: str, kid: str) -> Key:
    """Made once, since finding an RSA key takes long: issuers of one algorithm share keys under the same ids."""
    return new_key(algorithm)


def public_jwk(key: Key, kid: str, algorithm: str) -> dict[str, Any]:
    """The public half as a JSON Web Key."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "alg": algorithm, "use": "sig"}


class LoopbackIssuer:
    """Serves in a thread. What it publishes are plain attributes, for a test to change."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self.algorithm = algorithm
        self.asked: list[str] = []
        self.status = 200
        self.padding = b""
        self.codes: dict[str, dict[str, str]] = {}
        self.id_token_claims: dict[str, Any] = {}
        self.id_token_type = "JWT"
        self.secret: str | None = None
        self.rotate("k1")
        self._listen(0)
        self.metadata: dict[str, Any] = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }

    def _listen(self, port: int) -> None:
        issuer = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            do_POST = do_GET

            def log_request(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Answering)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005})
        self._thread.start()

    @property
    def url(self) -> str:
        """What stands in `iss`."""
        return f"http://127.0.0.1:{self.port}"

    def rotate(self, kid: str) -> None:
        """Withdraw the key and sign with another."""
        self.kid, self.key = kid, _published_key(self.algorithm, kid)
        self.jwks: list[Any] = [public_jwk(self.key, kid, self.algorithm)]

    def stop(self) -> None:
        """Go down."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def start_again(self) -> None:
        """Come back at the same address."""
        self._listen(self.port)

    def claims(self, **changed: Any) -> dict[str, Any]:
        """The claims of a good access token; None removes one."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "officer-1", "iat": now, "exp": now + 300, **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, headers: dict[str, Any] | None = None, key: Key | None = None, **changed: Any) -> str:
        """An access token; `headers` and claims as changed, signed by another key where one is given."""
        heads = {"kid": self.kid, "typ": "at+jwt", **(headers or {})}
        claims = json.dumps(self.claims(**changed)).encode()
        return jwt.api_jws.encode(claims, key or self.key, self.algorithm, headers=heads)

    def authorize(self, address: str) -> dict[str, str]:
        """What a browser sent to `address` brings back once its user has signed in."""
        assert address.startswith(f"{self.url}/authorize?")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"state": asked["state"], "code": code}

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        status, body = self.status, b"{}"
        match request.path:
            case "/.well-known/openid-configuration":
                body = json.dumps(self.metadata).encode()
            case "/jwks":
                body = json.dumps({"keys": self.jwks}).encode()
            case "/token":
                sent = request.rfile.read(int(request.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(sent).items()}
                status, body = self._tokens(form, request.headers["authorization"])
            case _:
                status = 404
        request.send_response(status)
        request.end_headers()
        request.wfile.write(body + self.padding)

    def _tokens(self, form: dict[str, str], authorization: str | None) -> tuple[int, bytes]:
        asked = self.codes.pop(form["code"], None)
        basic = b64decode((authorization or "").removeprefix("Basic ")).decode().partition(":")
        client, secret = (
            (unquote_plus(basic[0]), unquote_plus(basic[2])) if authorization else (form["client_id"], None)
        )
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or secret != self.secret
            or (asked["client_id"], asked["redirect_uri"]) != (client, form["redirect_uri"])
            or (asked["code_challenge"], asked["code_challenge_method"]) != (challenge, "S256")
        ):
            return 400, b'{"error": "invalid_grant"}'
        claims = {"aud": asked["client_id"], "nonce": asked["nonce"], **self.id_token_claims}
        return self.status, json.dumps({"id_token": self.token({"typ": self.id_token_type}, **claims)}).encode()
