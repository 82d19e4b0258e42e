"""Every operation of the API, as the application's routes have them."""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from triage.http.application import build
from triage.http.negotiation import query_parameters
from triage.settings import Settings


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    handler: HTTPRouteHandler

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def sign_in(self) -> str:
        return str(self.handler.opt.get("sign_in", "fresh"))

    @property
    def is_open(self) -> bool:
        """Whether it needs no sign-in."""
        return self.sign_in == "nobody"

    @property
    def parameters(self) -> set[str]:
        """The parts of its path and query that vary."""
        in_path = {part[1:-1] for part in self.path.split("/") if part.startswith("{")}
        return in_path | query_parameters(self.handler).keys()

    @property
    def body(self) -> Any:
        """The type of its body; None where it takes none."""
        field = self.handler.parsed_data_field
        return self.handler.opt.get("reads") or (field and field.annotation)


def operations(*pages: ControllerRouterHandler) -> list[Operation]:
    """Every operation of the API; where pages are given, of them instead."""
    return [
        Operation(method, route.path_format, handler)
        for route in build(Settings(), pages=pages).routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in sorted(route.route_handler_map.items(), key=itemgetter(0))
        if bool(pages) is not handler.resolve_include_in_schema()
    ]


OPERATIONS = operations()
