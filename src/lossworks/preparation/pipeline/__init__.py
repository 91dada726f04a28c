"""Many files to one prepared directory, in stages whose tasks any number of processes do, each whole or not at all.

Job        what is to be made, of which pieces of which files; written down before anything else is done
stages     the stages in their order; a finished task is known by its output, so a preparation that was killed goes on
executors  who does the tasks: processes of this machine, the same command on others, or Dask's workers
"""

from .job import Job, Wanted
from .stages import Stage, stages, work_through

__all__ = ["Job", "Stage", "Wanted", "stages", "work_through"]
