"""The ASGI application: who may ask, which paths there are, and a request's way from its bytes to its answer."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..core.loopback import NAMES, wrong_asker
from ..record import encode_json
from .patience import ASKING, Patience
from .refusals import Refused, answer, answer_http, as_refused
from .responses import Events, Whole
from .runs import VERBS, Runs


def application(
    runs: Runs, *, names: Collection[str] = (), token: str | None = None, failed: Callable[[], None] | None = None
) -> Starlette:
    """The ASGI application that serves ``runs``, which it begins to load when it is started.

    Args:
        runs: what is served.
        names: host names that it may be asked by, beside those of this machine and the address of the connection.
        token: what requests must bear as ``Authorization: Bearer TOKEN``; None: nothing.
        failed: called when the runs cannot be loaded; ``runs.failed`` says why.
    """
    verbs = {verb: _Verb(runs, verb) for verb in VERBS}
    endpoints = [Route(f"{at}/{verb}", verbs[verb], methods=["POST"]) for at in ("", "/runs/{run}") for verb in verbs]
    endpoints += [Route("/health", _health), Route("/metrics", _metrics)]
    app = Starlette(
        routes=endpoints,
        middleware=[
            Middleware(_Guard, names=frozenset(map(str.lower, (*NAMES, *names))), token=token),
            Middleware(_Shortcut, verbs=verbs, names=runs.served),
        ],
        exception_handlers={HTTPException: answer_http},
        lifespan=_loading,
    )
    app.router.redirect_slashes = False
    app.state.runs, app.state.failed = runs, failed
    app.state.paths = [f"{'POST' if route.methods == {'POST'} else 'GET'} {route.path}" for route in endpoints]
    return app


@asynccontextmanager
async def _loading(app: Starlette) -> AsyncIterator[None]:
    """Models are loaded while the server answers already that it is loading them."""
    runs: Runs = app.state.runs

    async def load() -> None:
        try:
            await asyncio.to_thread(runs.load)
        except Exception:  # noqa: BLE001  # it is in runs.failed
            if app.state.failed is not None:
                app.state.failed()

    task = asyncio.create_task(load())
    yield
    await task
    runs.close()


class _Guard:
    """Lets in who asks for one of our ``names`` and bears the ``token``."""

    def __init__(self, app: ASGIApp, names: Collection[str], token: str | None) -> None:
        self.app, self.names = app, names
        self.token = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refused := self._refused(scope)) is not None:
            await answer(refused)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refused(self, scope: Scope) -> Refused | None:
        found: dict[bytes, list[str]] = {b"host": [], b"origin": [], b"authorization": []}
        for name, value in scope["headers"]:
            if name in found:
                found[name].append(value.decode("latin-1"))
        host, origin, bearer = (values[0] if len(values) == 1 else ", ".join(values) for values in found.values())
        wrong = wrong_asker(host, origin if found[b"origin"] else None, {*self.names, *_address(scope)})
        if wrong is not None:
            said = f"{wrong}. Served are {', '.join(sorted(self.names))}; start the server with --allow-host for more."
            return Refused(403, said)
        if self.token is not None and not hmac.compare_digest(bearer.encode("latin-1"), self.token):
            said = "the token is missing or wrong. Send the header Authorization: Bearer TOKEN."
            return Refused(401, said, headers={"WWW-Authenticate": "Bearer"})
        return None


def _address(scope: Scope) -> Collection[str]:
    """The address at which the connection came in: no name of another can lead to it."""
    server = scope.get("server")
    if not server or server[1] is None:
        return ()
    return (f"[{server[0]}]" if ":" in server[0] else server[0],)


async def _health(request: Request) -> Response:
    runs: Runs = request.app.state.runs
    return Response(encode_json(runs.health()), 200 if runs.ready else 503, media_type="application/json")


async def _metrics(request: Request) -> Response:
    return Response(request.app.state.runs.meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Shortcut:
    """Leads requests past the routes, each of which looks at every path: that takes longer than an answer about one text."""

    def __init__(self, app: ASGIApp, verbs: Mapping[str, ASGIApp], names: Collection[str]) -> None:
        self.app = app
        self.ways: dict[str, tuple[ASGIApp, dict[str, str]]] = {f"/{verb}": (asked, {}) for verb, asked in verbs.items()}
        for name in names:
            self.ways |= {f"/runs/{name}/{verb}": (asked, {"run": name}) for verb, asked in verbs.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = self.ways.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        app, scope["path_params"] = way or (self.app, {})
        await app(scope, receive, send)


class _Verb:
    """What answers a verb, whatever goes wrong; and counts it."""

    def __init__(self, runs: Runs, verb: str) -> None:
        self.runs, self.verb = runs, verb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, name = time.perf_counter(), scope["path_params"].get("run")
        try:
            response = await _asked(scope, receive, self.runs, name, self.verb)
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it
        except Exception as error:  # noqa: BLE001  # a client gets JSON, and never a traceback
            response = answer(as_refused(error))
        served = self.runs.served
        run = name if name in served else next(iter(served)) if name is None and len(served) == 1 else ""
        self.runs.meters.request(run or "", self.verb, response.status_code, time.perf_counter() - began)
        await response(scope, receive, send)


async def _asked(scope: Scope, receive: Receive, runs: Runs, name: str | None, verb: str) -> Response:
    patience = Patience(scope, runs.limits.timeout)
    what, batches = runs.asked(name, verb)
    work = what.read(await _body(scope, receive, runs.limits.body))
    if work.stream:
        return await Events(batches, work, patience).begin()
    asked = batches.put(work, len(work.texts), work.length, only=len(scope["extensions"][ASKING]) == 1)
    if asked.future.done():
        return Whole(asked.future.result())

    def give_up(error: Exception) -> None:
        if not asked.future.done():
            asked.future.set_exception(error)

    with patience.ended(give_up):
        try:
            return Whole(await asked.future)
        finally:
            batches.withdraw(asked)


async def _body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request, of JSON and of ``most`` bytes.

    Raises:
        Refused: it is something else.
        ClientDisconnect: it does not come any more.
    """
    headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}  # the first of several
    kind = headers.get(b"content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, f"the content is {kind[:80]!r}; wanted Content-Type: application/json.")
    if (coding := headers.get(b"content-encoding", "identity").lower()) != "identity":
        raise Refused(415, f"the content is encoded ({coding[:80]!r}). Send it without Content-Encoding.")
    length = headers.get(b"content-length", "0")
    known = int(length[:20]) if length.isdecimal() else 0
    body, more = bytearray(), known <= most
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False) and len(body) <= most
    if max(known, len(body)) > most:
        raise Refused(
            413,
            f"the request has more than {most:,} bytes. Send several, or start the server with a larger --max-body.",
        )
    return bytes(body)
