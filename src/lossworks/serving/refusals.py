"""Requests that get no answer but an error, as JSON that says what is wrong and what to do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..core.errors import DataError, LossworksError, OutOfMemory, UsageError
from ..core.memory import is_out_of_memory
from ..record import encode_json

SOON = {"Retry-After": "1"}
"""Of what may well succeed in a second."""


class Refused(Exception):
    """A request that is answered with an error: ``status``, what is wrong, and the ``field`` of the request where it is."""

    def __init__(self, status: int, said: str, field: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(said)
        self.status, self.field, self.headers = status, field, headers


class naming:  # noqa: N801  # a statement, like contextlib's
    """Wrong arguments are refused as of this field, in the words that the command has for them."""

    __slots__ = ("_field",)

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, UsageError | DataError):
            raise Refused(422, str(error), self._field) from None


def said(error: Refused) -> dict[str, Any]:
    """The JSON object of an error."""
    return {"error": str(error), "status": error.status} | ({"field": error.field} if error.field else {})


def as_refused(error: BaseException) -> Refused:
    """What any error is to a client. What nobody foresaw is told on stderr, in one line; the client learns no more than that."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, OutOfMemory) or is_out_of_memory(error):
        return Refused(503, "memory ran out. Send fewer or shorter texts.", headers=SOON)
    if isinstance(error, LossworksError):
        return Refused(422, str(error))
    sys.stderr.write(f"lossworks: {type(error).__name__}: {error}".replace("\n", " ")[:500] + "\n")
    return Refused(500, "the server failed at this request. What failed is on its stderr.")


def answer(refused: Refused) -> Response:
    """The response."""
    body = encode_json(said(refused)).encode()
    return Response(body, refused.status, dict(refused.headers or {}), "application/json")


async def answer_http(request: Request, error: Exception) -> Response:
    """What Starlette refuses: a path that is not there, or not for this method."""
    assert isinstance(error, HTTPException)
    path, known = request.url.path[:80], request.app.state.paths
    said = f"{request.method} is not for {path}." if error.status_code == 405 else f"there is nothing at {path!r}."
    refused = Refused(error.status_code, f"{said} Known: {', '.join(known)}.", headers=error.headers)
    return answer(refused)
