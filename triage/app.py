"""The ASGI application over an open service: requests, pages and the phone's files."""

from litestar.types import ASGIApp

from triage.http import metrics, phone
from triage.http.application import build
from triage.http.middleware import OuterMiddleware
from triage.pages import routes as pages
from triage.pages.refusals import refuse_for_litestar
from triage.service import Service


def application(service: Service) -> ASGIApp:
    """The whole service as one ASGI application, for as long as it is open."""
    service.log.observe = metrics.observe_append
    app = build(service.settings, pages=(pages.router, phone.router), refuse_page=refuse_for_litestar)
    app.state.service = service
    return OuterMiddleware(app, metrics.observe, https=service.settings.public_url.startswith("https:"))
