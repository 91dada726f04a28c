"""``lossworks fit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json, setting
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
    out: Annotated[Path | None, setting("The run directory to make.  [default: runs/NAME-TIME]")] = None,
    valid: Annotated[str | None, setting("Validation rows: a file, or a share of DATA.  [default: 0.1]")] = None,
    test: Annotated[str | None, setting("Test rows: a file, or a share of DATA.  [default: 0.1]")] = None,
    folds: Annotated[
        int | None,
        setting(
            "K-fold cross-validation in the place of --test: figures by K more models; the one kept has all rows.", "--folds"
        ),
    ] = None,
    start: Annotated[
        Path | None,
        setting(
            "A finished run to go on from: weights, optimizer, features, settings; labels it does not know are appended.",
            "--from",
        ),
    ] = None,
    config: Annotated[Path | None, setting("A TOML file with any of the settings below; flags win over it.")] = None,
    task: Annotated[str | None, setting("auto, classify, multilabel, regress, lm (no labels), graph (facts).")] = None,
    model: Annotated[
        str | None,
        setting("linear, bag, ngram, hmm, rnn, transformer, hf:PATH, complex; keys: bag:dim=32. hf:PATH,frozen: a layer on it."),
    ] = None,
    vectors: Annotated[
        str | None, setting("A file of word vectors (GloVe, word2vec): a layer over their mean; --model vectors:FILE.")
    ] = None,
    tokenizer: Annotated[
        str | None, setting("For language models: words:min_count=2, chars, bytes, bpe:size=8000, or a .json file.")
    ] = None,
    document_unit: Annotated[
        str | None, setting("What of plain text is one text: line, paragraph, file.  [default: line]")
    ] = None,
    memory: Annotated[
        str | None, setting("Bytes that counting stays below (half of those free): 2G; the rest goes to files.")
    ] = None,
    loss: Annotated[str | None, setting("cross_entropy, focal:gamma=2, …: lossworks list losses; or FILE.py:NAME.")] = None,
    optimizer: Annotated[str | None, setting("adamw, sgd:momentum=0.9, …: lossworks list optimizers.")] = None,
    penalty: Annotated[str | None, setting("l1, l2, elastic_net, group_lasso: l1:strength=1e-5.")] = None,
    risk: Annotated[str | None, setting("mean, cvar, or over groups group_dro, worst_group.")] = None,
    groups: Annotated[
        str | None,
        setting("What a risk over groups compares: label, language, or both: language,label.  [default: label; for lm language]"),
    ] = None,
    balance: Annotated[
        str | None, setting("How often each --language is drawn: proportional, alpha:0.3, unimax:repeats=4.")
    ] = None,
    lr: Annotated[str | None, setting("Learning rate, over the optimizer's own; auto: found by short runs.")] = None,
    schedule: Annotated[str | None, setting("How the learning rate changes: cosine:warmup=5%, wsd, plateau, ….")] = None,
    epochs: Annotated[str | None, setting("Passes over the training rows at most.")] = None,
    steps: Annotated[str | None, setting("For rnn and transformer: the number of updates.")] = None,
    minutes: Annotated[str | None, setting("For rnn and transformer: as many updates as fit into this.  [default: 5]")] = None,
    batch_tokens: Annotated[str | None, setting("For language models: tokens per step.")] = None,
    pack: Annotated[
        bool | None, setting("For transformer: several texts in one row, which do not see one another.", "--pack")
    ] = None,
    dtype: Annotated[
        str | None, setting("For rnn and transformer: float32 or bfloat16.  [default: bfloat16 where that is quick]")
    ] = None,
    sharding: Annotated[
        str | None, setting("Under torchrun: fsdp divides weights and optimizer state among the processes; none: each has all.")
    ] = None,
    batch_size: Annotated[str | None, setting("Rows per step; auto: in the largest micro-batches that fit.")] = None,
    micro_batch: Annotated[
        str | None, setting("Rows in memory at once, with the same gradient.  [default: what suits the model]")
    ] = None,
    shards: Annotated[
        str | None,
        setting(
            "Parts of each step's rows, for torchrun: any number of processes that divides it ends in the same bits.  "
            "[default: 4 under torchrun]"
        ),
    ] = None,
    clip: Annotated[str | None, setting("Norm that the gradient is cut to.")] = None,
    ema: Annotated[str | None, setting("Evaluate and save a moving average of the weights: 0.999.")] = None,
    patience: Annotated[str | None, setting("Held-out scores without a better one before stopping.")] = None,
    stop_by: Annotated[
        str | None,
        setting(
            "Metric of the validation rows that stops training and chooses the weights: macro_f1, accuracy, ….  "
            "[default: the proper score]",
            "--stop-by",
        ),
    ] = None,
    class_weight: Annotated[str | None, setting("balanced, or label=factor,label=factor.")] = None,
    teach: Annotated[
        str | None,
        setting(
            "A teacher beside the labels, or in their place: RUN (of language too), votes:FILE, lexicon:FILE, uniform; "
            "posterior:lexicon:FILE, …: times what the model says."
        ),
    ] = None,
    glosses: Annotated[
        str | None, setting("For graphs: a file that describes entities, ENTITY, a tab and TEXT on each line.")
    ] = None,
    seed: Annotated[str | None, setting("Seed of the split, the order of rows and the first weights.")] = None,
    device: Annotated[str | None, setting("cpu, cuda, cuda:1, …")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out; repeat the command as it was.")] = False,
    checkpoint_every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 30.0,
    async_checkpoints: Annotated[
        bool, typer.Option("--async-checkpoints", help="Write them while training goes on, from a copy in memory.")
    ] = False,
    log: Annotated[str | None, setting("tensorboard, wandb, mlflow, or several: the numbers there too, offline.")] = None,
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
    over = {"test": 0.0} if folds is not None and test is None else {}  # --folds is in the place of the file's test too
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
            settings=toml(config, over | flags) if config else None,
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
