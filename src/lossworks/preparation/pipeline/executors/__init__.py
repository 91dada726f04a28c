"""Who does the tasks. The same command in several places at once shares a preparation already; these start the others."""
