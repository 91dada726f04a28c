"""The run directory: everything a run is, in open formats, written so that a crash never leaves half a file.

run.json             rendered config, versions, seeds, data fingerprint, status, result
log.jsonl            append-only, one object per event
model.safetensors    weights, beside config.json and tokenizer.json
tensorboard/         (wandb/, mlflow/) files of other trackers, if asked for
checkpoints/         what --resume needs, a file each (of several processes a folder), removed when the run ends
folds.parquet        of a fit by cross-validation, what was said of each row
report.html          the page to open
"""

from .events import Events
from .files import Fields, encode_json, read_json, read_object, write_atomic, write_json
from .run import Run

__all__ = ["Events", "Fields", "Run", "encode_json", "read_json", "read_object", "write_atomic", "write_json"]
