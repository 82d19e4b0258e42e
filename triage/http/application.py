"""The Litestar application of the API."""

from collections.abc import Callable

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import HTTPRoute
from litestar.routes.base import BaseRoute
from litestar.types import ControllerRouterHandler

from triage.http import (
    access,
    audit,
    documents,
    entries,
    exports,
    health,
    incidents,
    metrics,
    people,
    quarantine,
    summaries,
    sync,
)
from triage.http.admission import Admission
from triage.http.bodies import EveryFault
from triage.http.errors import EXCEPTION_HANDLERS, record_refusal, refuse_for_litestar
from triage.http.openapi import MsgspecSchemas
from triage.http.parameters import TYPE_DECODERS, AnyRequest
from triage.service import Service
from triage.settings import Settings

ROUTERS = (
    entries.router,
    sync.router,
    incidents.router,
    summaries.router,
    exports.router,
    quarantine.router,
    access.router,
    people.router,
    audit.router,
    documents.router,
    health.router,
    metrics.router,
)


RefusePage = Callable[[AnyRequest, HTTPException], Response[bytes]]


class _NoOptions(ReceiveRoutePlugin):
    """Litestar answers OPTIONS everywhere; here it is a method like any other that an address does not have."""

    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute):
            route.route_handler_map.pop("OPTIONS", None)


def provide_service(state: State) -> Service:
    """The open service of this process."""
    service: Service = state.service
    return service


def build(
    settings: Settings,
    *,
    pages: tuple[ControllerRouterHandler, ...] = (),
    refuse_page: RefusePage | None = None,
    openapi_config: OpenAPIConfig | None = None,
) -> Litestar:
    """The application, whose `app.state.service` is still to be set to the open service.

    `pages` are routes beside the API's, and `refuse_page` answers for addresses below `/review/` that no route has.
    The document is committed and served as a file, so that only building it needs a configuration.
    """

    def refuse(request: AnyRequest, error: HTTPException) -> Response[bytes]:
        if refuse_page and request.url.path.startswith("/review/"):
            return refuse_page(request, error)
        return refuse_for_litestar(request, error)

    return Litestar(
        route_handlers=[*ROUTERS, *pages],
        dependencies={"service": Provide(provide_service, sync_to_thread=False)},
        middleware=[Admission()],
        dto=EveryFault,
        return_dto=None,
        type_decoders=TYPE_DECODERS,
        exception_handlers=EXCEPTION_HANDLERS | {HTTPException: refuse},
        after_exception=[record_refusal],
        plugins=[MsgspecSchemas(), _NoOptions()],
        openapi_config=openapi_config,
        logging_config=None,
        request_max_body_size=settings.max_body_bytes,
    )
