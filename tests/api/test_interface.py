"""What Litestar would pass over without a word, held against every handler."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from litestar.utils.predicates import is_async_callable
from msgspec import Meta
from support.operations import OPERATIONS, Operation


def metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from metadata(inner)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_parameter_relies_on_a_meta(operation: Operation) -> None:
    for name, field in operation.handler.parsed_fn_signature.parameters.items():
        if name != "data":
            assert not [mark for mark in metadata(field.raw) if isinstance(mark, Meta)], name


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_guard_is_run_in_a_thread(operation: Operation) -> None:
    for layer in operation.handler.ownership_layers:
        assert all(map(is_async_callable, layer.guards or ()))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_only_what_needs_no_sign_in_is_open(operation: Operation) -> None:
    assert operation.is_open is ({} in (operation.handler.resolve_security() or []))
