"""``lossworks compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json, setting
from .running import command_line, new_run, stop_on_signals

if TYPE_CHECKING:
    from ..api.comparison import Comparison
    from ..evidence.plan import Plan

Many = list[str] | None


def _repeated(said: str) -> Any:
    return setting(f"{said} Repeat it for several.")


def command(
    data: Annotated[str, typer.Argument(help="Labelled text, or for language models any, as `lossworks fit` takes it.")],
    loss: Annotated[Many, _repeated("cross_entropy, focal:gamma=2, …; or FILE.py:NAME.")] = None,
    optimizer: Annotated[Many, _repeated("adam, sgd:momentum=0.9, ….")] = None,
    model: Annotated[
        Many, _repeated("linear, bag:dim=32, …; each:linear, one for each --language; pool:linear+bag pools trained arms.")
    ] = None,
    teach: Annotated[
        Many, _repeated("none; a teacher, as of fit. The same arm without it, and with it cut from its texts, is added.")
    ] = None,
    penalty: Annotated[Many, _repeated("l1:strength=1e-5, ….")] = None,
    risk: Annotated[Many, _repeated("mean, cvar, ….")] = None,
    groups: Annotated[Many, _repeated("What a risk over groups compares: label, language, or both: language,label.")] = None,
    balance: Annotated[Many, _repeated("How often each --language is drawn: proportional, alpha:0.3, unimax.")] = None,
    schedule: Annotated[Many, _repeated("How the learning rate changes; linear if none is given.")] = None,
    lr: Annotated[Many, _repeated("Rates as given, for --trials 0.")] = None,
    tokenizer: Annotated[Many, _repeated("For language models: chars, words, bytes, bpe:size=8000, ….")] = None,
    class_weight: Annotated[Many, _repeated("none, balanced, or label=factor,….")] = None,
    config: Annotated[Path | None, setting("A TOML file with settings in common, and [[arms]]; flags win over it.")] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each arm that count.")] = 8,
    trials: Annotated[int, typer.Option(help="Trainings to tune each arm with; 0: rates as given.")] = 12,
    tune: Annotated[Many, setting("lr, or part.key=low:high; repeat.  [default: lr]")] = None,
    metric: Annotated[
        str | None, setting("What verdicts are about: nll, brier, accuracy, macro_f1, mse, …; nats_per_token, bits_per_byte.")
    ] = None,
    margin: Annotated[float | None, setting("A difference small enough to be none.")] = None,
    minutes: Annotated[float | None, setting("What all must fit into; with --resume, a part of the work.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 1,
    storage: Annotated[str | None, setting("postgresql://…, shared by machines with the same command.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what will run and how long it takes, and leave.")] = False,
    out: Annotated[Path | None, setting("The directory to make.  [default: runs/NAME-TIME]")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the comparison in --out; repeat the command.")] = False,
    valid: Annotated[str | None, setting("Validation rows: a file, or a share.  [default: 0.1]")] = None,
    test: Annotated[str | None, setting("Test rows: a file, or a share.  [default: 0.1]")] = None,
    task: Annotated[str | None, setting("auto, classify, multilabel, regress, lm.")] = None,
    epochs: Annotated[str | None, setting("Passes over the training rows.  [default: 10]")] = None,
    document_unit: Annotated[
        str | None, setting("For language models, what is one text: line, paragraph, file.  [default: line]")
    ] = None,
    steps: Annotated[str | None, setting("For language models: the number of updates, in the place of --epochs.")] = None,
    batch_tokens: Annotated[str | None, setting("For language models: tokens a step.  [default: 2048]")] = None,
    batch_size: Annotated[str | None, setting("Rows a step.")] = None,
    clip: Annotated[str | None, setting("Norm that the gradient is cut to.")] = None,
    seed: Annotated[str | None, setting("Seed of the split and the trials; the seeds that count come after it.")] = None,
    device: Annotated[str | None, setting("cpu, cuda, cuda:1, …")] = None,
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    language: options.Language = None,
    normalize: options.Normalize = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Tune arms alike, train each with the same seeds, and say what that shows; the first arm is the baseline."""
    from ..api.compare import compare, plan_of
    from ..core.values import parsed
    from ..engine import Callbacks
    from ..evidence.arms import read_toml

    values, arms = read_toml(config) if config else ({}, [])
    varied = {
        "loss": loss, "optimizer": optimizer, "model": model, "tokenizer": tokenizer, "penalty": penalty, "risk": risk,
        "groups": groups, "balance": balance, "schedule": schedule, "class_weight": class_weight, "teach": teach,
        "lr": lr and [parsed(rate) for rate in lr],
    }  # fmt: skip
    named = {name: [_none(one) for one in given] for name, given in varied.items() if given}
    single = {"task": task, "device": device, "document_unit": document_unit}
    numbers = {
        "epochs": epochs, "steps": steps, "batch_tokens": batch_tokens, "batch_size": batch_size, "clip": clip, "seed": seed,
    }  # fmt: skip
    single |= {name: parsed(value) for name, value in numbers.items()}
    read = options.read_options(
        text, label, weight, encoding, bad_rows, format, header, label_sep=label_sep, language=language,
        normalize=normalize,
    )  # fmt: skip
    asked: dict[str, Any] = {
        "arms": arms, "seeds": seeds, "trials": trials, "tune": tune or ["lr"], "metric": metric, "jobs": jobs,
        "valid": parsed(valid), "test": parsed(test), "settings": values,
        "read": read,
        **named,
        **{name: value for name, value in single.items() if value is not None},
    }  # fmt: skip
    with _watcher(quiet) as watcher:
        callbacks = Callbacks(watch=watcher)
        stop_on_signals(callbacks, watcher)
        if plan:
            planned = plan_of(data, callbacks=callbacks, **asked)
        else:
            if out is None and not resume:
                out = new_run(data)
            found = compare(
                data,
                minutes=minutes,
                margin=margin,
                storage=storage,
                out=out,
                resume=resume,
                callbacks=callbacks,
                command=command_line(),
                **asked,
            )
    if plan:
        print_json(planned.to_json()) if json else _tell_plan(planned)
    else:
        print_json({"run": str(found.path), **found.record}) if json else _tell(found)


def _tell(found: Comparison) -> None:
    """The verdicts, and what to do next."""
    from ..report.by_language import NOT_KEPT
    from ..report.comparison import mean_of
    from ..report.comparison_next import next_step, rates_alike
    from ..report.comparison_rows import beside_counts
    from .fuse import tell_verdicts
    from .tables import console
    from .visible import in_line

    screen = console()
    for arm in found.arms:
        screen.print(f"{arm['name']}\n    {mean_of(found.record['result'], arm)}{arm['verdict']['sentence']}")
        for one in found.record["result"].get("by_language") or ():
            if one["run"] == arm["name"]:
                screen.print(f"    By language: {in_line(one['sentence'])}")
        if arm["tuning"]["at_end"]:
            ends = ", ".join(arm["tuning"]["at_end"])
            screen.print(f"    Its best {ends} stood at the end of what was tried: a better one may lie beyond.")
    if "by_language" in found.record["result"] and found.record["result"]["by_language"] is None:
        screen.print(f"By language: {NOT_KEPT.format(found.record['result']['metric'])}")
    if counted := beside_counts(found.record["result"]):
        screen.print(f"\n{counted}")
    if claims := found.knowledge:
        screen.print()
        tell_verdicts(claims)
    assert found.path is not None
    step, notes = next_step(found.record, found.path), [rates_alike(found.record["result"])]
    ways = [f"open {found.path / 'report.html'}", f"lossworks.Comparison.load({str(found.path)!r}).table()"]
    if step is not None:
        notes, ways = [*notes, step.why], [step.command, *ways]
    for note in filter(None, notes):
        screen.print(f"\n{note}")
    screen.print("\nNext:  " + "\n       ".join(filter(None, ways)))


def _tell_plan(planned: Plan) -> None:
    """What will run, and how long it takes."""
    from ..core.wording import counted, duration
    from .tables import console

    screen = console()
    for arm in planned.arms:
        screen.print(
            f"{arm.arm}\n    {counted(arm.trials, 'trial')} and {counted(arm.seeds, 'seed')} of {duration(arm.seconds, ' ')} each"
        )
    processes = "one process" if planned.jobs == 1 else f"{planned.jobs} processes"
    screen.print(f"\n{counted(planned.trainings, 'training')}, about {duration(planned.seconds, ' ')} on {processes}.")


def _none(value: Any) -> Any:
    """None where "none" is spelled: an arm without a penalty, or without class weights."""
    return None if value == "none" else value


def _watcher(quiet: bool) -> Any:
    from ..core.wording import counted, duration, skipped_note
    from ..report.words import untrained
    from ..tokens.graphemes import composed_note
    from .progress import Watcher
    from .tables import number, say, say_notes

    class Comparing(Watcher):
        """Counts the trainings as they end."""

        ended, total = 0, 0

        def _comparison(self, fields: dict[str, Any]) -> None:
            self.training, self.ended, self.total = True, fields["done"], fields["protocol"]["trainings"]
            data, doubles = fields["data"], fields["duplicates"]
            parts, what = (data["tokens"], "token") if "tokens" in data else (data["parts"], "row")
            sizes = ", ".join(f"{parts[name]:,} {name}" for name in ("train", "valid", "test"))
            say(f"{data['source']}: {counted(sum(parts.values()), what)} ({sizes})")
            say_notes(skipped_note(data.get("skipped", 0), data.get("bad", ())))
            say_notes(composed_note(data.get("composed", 0), data["rows"]))
            done = f", {self.ended} of them done" if self.ended else ""
            say(f"arms   {len(fields['protocol']['arms'])}, {self.total} trainings in all{done}")
            say(f"score  of seeds {fields['protocol']['metric']} on test rows, of trials the proper score on validation rows")
            for text in untrained(fields["protocol"]):
                say(f"note   {text}", "yellow")
            if found := doubles["exact"]["test"] + doubles["near"]["test"]:
                stand = f"{counted(found, 'test row')} {'stands' if found == 1 else 'stand'} among the training rows"
                say(f"note   {stand}, {doubles['exact']['test']:,} word for word", "yellow")

        def _training(self, fields: dict[str, Any]) -> None:
            self.ended += 1
            score = "diverged" if fields["score"] is None else number(fields["score"])
            what = f"trial {fields['number'] + 1}" if fields["stage"] == "tune" else f"seed {fields['seed']}"
            if self.bar is not None:
                self._show("training", self.ended, self.total, f"{fields['arm']}, {what}: {score}")
            else:
                say(f"{self.ended} of {self.total}  {fields['arm']}, {what}: {score}  ({duration(fields['seconds'], ' ')})")

        def _timed(self, fields: dict[str, Any]) -> None:
            self._show("timing", fields["done"], fields["of"], fields["arm"])

    return Comparing(quiet)
