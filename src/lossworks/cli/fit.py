"""``lossworks fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json
from .running import command_line, is_first, new_run, stop_on_signals


def command(
    data: Annotated[
        list[str],
        typer.Argument(
            help="Files (csv, tsv, jsonl, parquet, fastText, plain text; .gz, .zst), 'a/pattern*.csv', a folder of class "
            "folders, or - for stdin."
        ),
    ],
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    out: Annotated[
        Path | None, typer.Option(help="The run directory to make.  [default: runs/NAME-TIME]", show_default=False)
    ] = None,
    valid: Annotated[
        str | None, typer.Option(help="Validation rows: a file, or a share of DATA.  [default: 0.1]", show_default=False)
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="Test rows: a file, or a share of DATA.  [default: 0.1]", show_default=False)
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            help="K-fold cross-validation in the place of --test: figures by K more models; the one kept has all rows.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A finished run to go on from: weights, optimizer, features, settings; labels it does not know are appended.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file with any of the settings below; flags win over it.", show_default=False)
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="auto, classify, multilabel, regress, lm (no labels), graph (facts).", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="linear, bag, ngram, hmm, rnn, transformer, hf:PATH, complex; keys: bag:dim=32. hf:PATH,frozen: a layer on it.",
            show_default=False,
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            help="A file of word vectors (GloVe, word2vec): a layer over their mean; --model vectors:FILE.", show_default=False
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="For language models: words:min_count=2, chars, bytes, bpe:size=8000, or a .json file.", show_default=False
        ),
    ] = None,
    document_unit: Annotated[
        str | None,
        typer.Option(help="What of plain text is one text: line, paragraph, file.  [default: line]", show_default=False),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Bytes that counting stays below (half of those free): 2G; the rest goes to files.", show_default=False
        ),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="cross_entropy, focal:gamma=2, …: lossworks list losses.", show_default=False)
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="adamw, sgd:momentum=0.9, …: lossworks list optimizers.", show_default=False)
    ] = None,
    penalty: Annotated[
        str | None, typer.Option(help="l1, l2, elastic_net, group_lasso: l1:strength=1e-5.", show_default=False)
    ] = None,
    risk: Annotated[
        str | None, typer.Option(help="mean, cvar, or over groups group_dro, worst_group.", show_default=False)
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help="What a risk over groups compares: label, language, or both: language,label.  [default: label; for lm language]",
            show_default=False,
        ),
    ] = None,
    balance: Annotated[
        str | None,
        typer.Option(help="How often each --language is drawn: proportional, alpha:0.3, unimax:repeats=4.", show_default=False),
    ] = None,
    lr: Annotated[
        str | None, typer.Option(help="Learning rate, over the optimizer's own; auto: found by short runs.", show_default=False)
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="How the learning rate changes: cosine:warmup=5%, wsd, plateau, ….", show_default=False)
    ] = None,
    epochs: Annotated[str | None, typer.Option(help="Passes over the training rows at most.", show_default=False)] = None,
    steps: Annotated[str | None, typer.Option(help="For rnn and transformer: the number of updates.", show_default=False)] = None,
    minutes: Annotated[
        str | None,
        typer.Option(help="For rnn and transformer: as many updates as fit into this.  [default: 5]", show_default=False),
    ] = None,
    batch_tokens: Annotated[str | None, typer.Option(help="For language models: tokens per step.", show_default=False)] = None,
    pack: Annotated[
        bool | None,
        typer.Option(
            "--pack", help="For transformer: several texts in one row, which do not see one another.", show_default=False
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="For rnn and transformer: float32 or bfloat16.  [default: bfloat16 where that is quick]", show_default=False
        ),
    ] = None,
    sharding: Annotated[
        str | None,
        typer.Option(
            help="Under torchrun: fsdp divides weights and optimizer state among the processes; none: each has all.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        str | None, typer.Option(help="Rows per step; auto: in the largest micro-batches that fit.", show_default=False)
    ] = None,
    micro_batch: Annotated[
        str | None,
        typer.Option(help="Rows in memory at once, with the same gradient.  [default: what suits the model]", show_default=False),
    ] = None,
    shards: Annotated[
        str | None,
        typer.Option(
            help="Parts of each step's rows, for torchrun: any number of processes that divides it ends in the same bits.  "
            "[default: 4 under torchrun]",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[str | None, typer.Option(help="Norm that the gradient is cut to.", show_default=False)] = None,
    ema: Annotated[
        str | None, typer.Option(help="Evaluate and save a moving average of the weights: 0.999.", show_default=False)
    ] = None,
    patience: Annotated[
        str | None, typer.Option(help="Held-out scores without a better one before stopping.", show_default=False)
    ] = None,
    stop_by: Annotated[
        str | None,
        typer.Option(
            "--stop-by",
            help="Metric of the validation rows that stops training and chooses the weights: macro_f1, accuracy, ….  "
            "[default: the proper score]",
            show_default=False,
        ),
    ] = None,
    class_weight: Annotated[str | None, typer.Option(help="balanced, or label=factor,label=factor.", show_default=False)] = None,
    teach: Annotated[
        str | None,
        typer.Option(
            help="A teacher beside the labels, or in their place: RUN (of language too), votes:FILE, lexicon:FILE, uniform; "
            "posterior:lexicon:FILE, …: times what the model says.",
            show_default=False,
        ),
    ] = None,
    glosses: Annotated[
        str | None,
        typer.Option(help="For graphs: a file that describes entities, ENTITY, a tab and TEXT on each line.", show_default=False),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="Seed of the split, the order of rows and the first weights.", show_default=False)
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, …", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out; repeat the command as it was.")] = False,
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 30.0,
    async_checkpoints: Annotated[
        bool, typer.Option("--async-checkpoints", help="Write them while training goes on, from a copy in memory.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(
            help="tensorboard, wandb, mlflow, or several: the numbers there too, offline.",
            show_default=False,
        ),
    ] = None,
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
    """Train on labelled text, train a language model on any, or a model of a knowledge graph on its facts, and leave a run
    directory with model, record and report.
    """
    from ..api import fit
    from ..core.errors import UsageError
    from ..core.values import parsed
    from ..data import together
    from ..engine import Callbacks
    from ..training import toml
    from .progress import Watcher
    from .telling import tell

    if vectors is not None:
        if model is not None:
            raise UsageError(f"--vectors FILE is short for --model vectors:FILE, and --model {model} is another. Leave one out.")
        model = f"vectors:path={vectors}"
    given = {
        "task": task, "model": model, "tokenizer": tokenizer, "document_unit": document_unit, "memory": memory,
        "loss": loss, "optimizer": optimizer, "penalty": penalty, "risk": risk, "groups": groups, "balance": balance,
        "schedule": schedule, "stop_by": stop_by, "class_weight": class_weight, "teach": teach, "glosses": glosses,
        "pack": pack, "dtype": dtype, "sharding": sharding, "device": device,
    }  # fmt: skip
    numbers = {
        "lr": lr, "epochs": epochs, "steps": steps, "minutes": minutes, "batch_size": batch_size, "batch_tokens": batch_tokens,
        "micro_batch": micro_batch, "clip": clip, "ema": ema, "patience": patience, "shards": shards, "seed": seed,
    }  # fmt: skip
    given |= {name: parsed(value) for name, value in numbers.items()}
    flags = {name: value for name, value in given.items() if value is not None}
    source = together(data)
    read = options.read_options(
        text, label, weight, encoding, bad_rows, format, header, label_sep=label_sep, language=language,
        normalize=normalize,
    )  # fmt: skip
    if out is None and not resume:
        out = new_run(data[0])
    with Watcher(quiet or not is_first()) as watcher:
        callbacks = Callbacks(watch=watcher, checkpoint_every=checkpoint_every, async_checkpoints=async_checkpoints)
        stop_on_signals(callbacks, watcher)
        trained = fit(
            source,
            valid=parsed(valid),
            test=parsed(test),
            out=out,
            read=read,
            settings=toml(config, flags) if config else None,
            resume=resume,
            folds=folds,
            start=start,
            callbacks=callbacks,
            command=command_line(),
            log=log,
            **flags,
        )
    if not is_first():
        return
    if json:
        print_json({"run": str(trained.path), **trained.record})
    else:
        tell(trained.record, trained.path or Path())
