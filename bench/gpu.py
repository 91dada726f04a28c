"""Every path of the library on a GPU: checked against float64 on the CPU, then timed beside its peers. One card, one command.

    bench/gpu.py [--device cuda] [--minutes 8] [--json FILE] [--only SECTION …] [--tiny]

Checks come first: fused and sharded scores, networks, whole fits, generation, resuming, optimisers, memory that runs out. Then
the times: the last layer with cross-entropy, a GPT, optimisers. What raises an error counts as failed, and the rest goes on; what
there is no time left for, or what cannot be had here, is said and counts as nothing. The exit status is 1 where anything failed.
``--tiny`` takes small sizes and few members, on the CPU unless told otherwise: the tests run it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import _bench
import _gpu_checks
import _gpu_networks
import _gpu_runs
import _gpu_times
import torch
from _gpu import Check, Place, Skipped
from _gpu_times import Timing

CHECKS: dict[str, Callable[[Place], Iterator[Check]]] = {
    "fused": _gpu_checks.fused_scores,
    "sharded": _gpu_checks.sharded_scores,
    "networks": _gpu_networks.networks,
    "fits": _gpu_runs.fits,
    "generation": _gpu_runs.generation,
    "resuming": _gpu_runs.resuming,
    "optimizers": _gpu_checks.all_optimizers,
    "memory": _gpu_runs.out_of_memory,
    "pretrained": _gpu_networks.pretrained,
}
TIMES: dict[str, Callable[[Place], Iterator[Timing]]] = {
    "last_layer": _gpu_times.last_layer,
    "gpt": _gpu_times.gpt,
    "steps": _gpu_times.optimizer_steps,
}
Row = dict[str, Any]
_SHARE = 0.6
"""Of the time, for checks."""
_WORDS = ("section", "what", "name", "state", "note")


def outcome(run: Callable[[], Row], until: float) -> Row:
    """What ``run`` gives; "failed" with the error where it raises one, "skipped" with the reason where it cannot be had."""
    if time.monotonic() > until:
        return {"state": "skipped", "note": "no time left"}
    try:
        return run()
    except Skipped as reason:
        return {"state": "skipped", "note": str(reason)}
    except Exception as error:  # noqa: BLE001  # the next ones are to be known too
        traceback.print_exc()
        return {"state": "failed", "note": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def check(each: Check) -> Row:
    """Whether the error is within the limit."""
    error = each.error()
    return {"state": "passed" if error <= each.limit else "failed", "error": error}  # nan fails


def checked(on: Place, sections: Sequence[str], until: float) -> list[Row]:
    """Every check of these sections; the table."""
    rows = [
        {"section": name, "name": each.name, "limit": each.limit, **outcome(partial(check, each), until)}
        for name in CHECKS
        if name in sections
        for each in CHECKS[name](on)
    ]
    cells = [(r["section"], r["name"], r.get("error", "–"), r["limit"], r["state"], r.get("note", "")) for r in rows]
    _bench.table(("section", "check", "largest error", "limit", "", "note"), cells)
    return rows


def measured(on: Place, sections: Sequence[str], until: float) -> list[Row]:
    """Every timing of these sections; a table for each thing that several sides do."""
    rows: list[Row] = []
    for name in TIMES:
        if name in sections:
            found = outcome(partial(listed, TIMES[name], on), until)  # what is measured before the sides may fail too
            rows += [{"section": name, "what": name, "name": name, **found}] if "sides" not in found else []
            for side in found.get("sides", []):
                rows.append({"section": name, "what": side.what, "name": side.name, **outcome(partial(measure, side), until)})
    for what in dict.fromkeys(row["what"] for row in rows):
        alike = [row for row in rows if row["what"] == what]
        keys = list(dict.fromkeys(key for row in alike for key in row if key not in _WORDS))
        cells = [(row["name"], *(row.get(key, "–") for key in keys), row["state"], row.get("note", "")) for row in alike]
        _bench.table((what, *keys, "", "note"), cells)
    return rows


def listed(section: Callable[[Place], Iterator[Timing]], on: Place) -> Row:
    """The sides of a section."""
    return {"sides": list(section(on))}


def measure(side: Timing) -> Row:
    """The figures of one."""
    return {"state": "measured", **side.measure()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where anything failed."""
    parser = argparse.ArgumentParser(description="Check and time every path on a device.")
    parser.add_argument("--device", help="cuda, cuda:1, cpu; cuda if not given, cpu with --tiny")
    parser.add_argument("--minutes", type=float, default=8.0, help="nothing begins later; no check after 60 %% of it")
    parser.add_argument("--only", nargs="+", choices=[*CHECKS, *TIMES], default=[*CHECKS, *TIMES])
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--tiny", action="store_true", help="small sizes, few members")
    asked = parser.parse_args(arguments)
    on, start = Place(asked.device or ("cpu" if asked.tiny else "cuda"), asked.tiny), time.monotonic()
    if on.is_cuda and not torch.cuda.is_available():
        parser.error("there is no GPU of CUDA's; --tiny runs on the CPU")
    card = torch.cuda.get_device_name(on.device) if on.is_cuda else on.device
    where = f"{card}, torch {torch.__version__}, CUDA {torch.version.cuda}, {_bench.host()}"
    print(where + "\n")
    checks = checked(on, asked.only, start + _SHARE * 60 * asked.minutes)
    times = measured(on, asked.only, start + 60 * asked.minutes)
    counts = {
        state: sum(row["state"] == state for row in (*checks, *times)) for state in ("passed", "measured", "failed", "skipped")
    }
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    if asked.json:
        asked.json.write_text(json.dumps({"machine": where, **counts, "checks": checks, "times": times}, indent=1), "utf-8")
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
