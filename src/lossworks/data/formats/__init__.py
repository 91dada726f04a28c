"""One file per format. Each ``read`` gives a ``Reading``: the chosen columns, and the rows to come as they stand."""
