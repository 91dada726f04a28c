"""A script for SLURM: an array of jobs, each the same command; they share the folder and find their tasks by themselves."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def script(command: Sequence[str], jobs: int) -> str:
    """What ``sbatch`` takes: ``jobs`` times the ``command``, on a core each.

    Jobs that are preempted are put in the queue again, where they go on with what is left.
    """
    return f"""#!/bin/bash
#SBATCH --job-name=lossworks-prepare
#SBATCH --array=1-{jobs}
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --requeue
cd "$SLURM_SUBMIT_DIR"
srun {shlex.join(command)}
"""
