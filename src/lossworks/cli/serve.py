"""``lossworks serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import NotInstalled, RecordError, UsageError
from . import options
from .options import print_json

_TOKEN = "LOSSWORKS_TOKEN"


def command(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Finished runs, of `lossworks fit`; NAME=RUN gives one another name.")
    ],
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; another than this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: a free one.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", help="Host name that requests may ask for; repeat.  [default: of this machine]", show_default=False
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            help=f"File with the token that requests must bear.  [default: {_TOKEN}]",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for a request, waiting counted; then 504.")] = 30.0,
    queue: Annotated[int, typer.Option("--queue", help="Requests that may wait for a run; then 429.")] = 256,
    max_batch: Annotated[
        int, typer.Option("--max-batch", help="Texts of several requests that are answered together; 1: each by itself.")
    ] = 64,
    max_body: Annotated[int, typer.Option("--max-body", help="Bytes of a request; then 413.")] = 1 << 20,
    max_texts: Annotated[int, typer.Option("--max-texts", help="Texts of a request.")] = 1000,
    max_characters: Annotated[int, typer.Option("--max-characters", help="Characters of a request's texts together.")] = 100_000,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", help="Tokens that a request may have drawn, all its samples together.")
    ] = 2048,
    max_connections: Annotated[
        int, typer.Option("--max-connections", help="Connections at once; further ones are closed.")
    ] = 512,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Serve finished runs over HTTP: POST /predict, /score and /generate with JSON; GET /health and /metrics. Until Ctrl-C or
    SIGTERM, after which what has begun is finished.
    """
    try:
        from ..serving import Limits, Runs, Server
    except ModuleNotFoundError as error:
        raise NotInstalled(f"serve needs {error.name}. Install it: pip install 'lossworks[serve]'.") from None
    from ..serving.runs import named

    limits = Limits(
        timeout=timeout,
        queue=queue,
        batch=max_batch,
        body=max_body,
        texts=max_texts,
        characters=max_characters,
        new_tokens=max_new_tokens,
        connections=max_connections,
    )
    served = Runs(named(runs), limits, device)
    server = Server(served, host, port, allow_host or (), _token(token_file))
    if json:
        print_json({"address": server.address, "runs": list(served.served)})
        sys.stdout.flush()
    else:
        print(f"{server.address}   (Ctrl-C ends it)", flush=True)
    server.run()
    if served.failed is not None:
        raise served.failed


def _token(file: Path | None) -> str | None:
    """The token in the file, or in the environment; None: there is none."""
    if file is None:
        return os.environ.get(_TOKEN, "").strip() or None
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{file} cannot be read ({getattr(error, 'strerror', None) or error}).") from None
    if not token:
        raise UsageError(f"{file} is empty; wanted a token, such as `openssl rand -hex 32` prints.")
    return token
