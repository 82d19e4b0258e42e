"""The bare equivalent in Django with Django REST framework: sign in, check the fields, store, read changes.

No rules, no chain, no duplicates told apart, no views. `PEER_URL` is the database; served by gunicorn, one process with
threads and connections that are kept.
"""

import os
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path


def database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": query.get("host", parts.hostname or ""),
        "PORT": query.get("port", parts.port or 5432),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": "-c search_path=peers"},
    }


settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": database(os.environ["PEER_URL"])},
    INSTALLED_APPS=["rest_framework"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # answers tell their length
    USE_TZ=True,
    REST_FRAMEWORK={
        "UNAUTHENTICATED_USER": None,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
)
django.setup()

from django.db import models  # noqa: E402 - Django must be configured first
from rest_framework import serializers  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Token(models.Model):
    """Who may send."""

    hash = models.BinaryField(primary_key=True)
    team_id = models.UUIDField()
    author = models.UUIDField()
    is_authenticated = True

    class Meta:
        """The table of `schema.sql`."""

        app_label, db_table, managed = "peers", "token", False


class Record(models.Model):
    """One stored record."""

    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField()
    team_id = models.UUIDField()
    author = models.UUIDField()
    kind = models.TextField()
    incident_id = models.UUIDField()
    captured_at = models.DateTimeField()
    body = models.JSONField()

    class Meta:
        """The table of `schema.sql`."""

        app_label, db_table, managed = "peers", "record", False


class Sent(serializers.Serializer[Record]):
    """A record as it is sent: its common fields are checked, the others are kept."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    incident_id = serializers.UUIDField()
    captured_at = serializers.DateTimeField()
    codes_version = serializers.IntegerField()


class Bearer(BaseAuthentication):
    """Signs in by the hash of a token."""

    def authenticate(self, request: Request) -> tuple[Token, None]:
        digest = sha256(request.headers["authorization"].removeprefix("Bearer ").encode()).digest()
        token = Token.objects.filter(hash=digest).first()
        if token is None:
            raise AuthenticationFailed
        return token, None


def record(token: Token, sent: dict[str, Any], body: dict[str, Any]) -> Record:
    return Record(
        id=sent["id"],
        team_id=token.team_id,
        author=token.author,
        kind=sent["kind"],
        incident_id=sent["incident_id"],
        captured_at=sent["captured_at"],
        body=body,
    )


class Create(APIView):
    """One record."""

    authentication_classes = (Bearer,)

    def post(self, request: Request) -> Response:
        sent = Sent(data=request.data)
        sent.is_valid(raise_exception=True)
        stored = record(request.user, sent.validated_data, request.data)
        stored.save(force_insert=True)
        return Response({"id": stored.id, "seq": stored.seq, "status": "stored"}, status=201)


class CreateMany(APIView):
    """Up to five hundred records."""

    authentication_classes = (Bearer,)

    def post(self, request: Request) -> Response:
        bodies = request.data["entries"]
        sent = Sent(data=bodies, many=True)
        sent.is_valid(raise_exception=True)
        stored = [record(request.user, *pair) for pair in zip(sent.validated_data, bodies, strict=True)]
        Record.objects.bulk_create(stored)
        return Response({"results": [{"id": record.id, "status": "stored"} for record in stored]})


class Changes(APIView):
    """A hundred records after a position."""

    authentication_classes = (Bearer,)

    def get(self, request: Request) -> Response:
        after = int(request.query_params["after"])
        records = Record.objects.filter(team_id=request.user.team_id, seq__gt=after).order_by("seq")[:100]
        return Response({"records": [{"seq": record.seq, "id": record.id, "body": record.body} for record in records]})


urlpatterns = [
    path("records", Create.as_view()),
    path("sync", CreateMany.as_view()),
    path("changes", Changes.as_view()),
]
application = get_wsgi_application()
