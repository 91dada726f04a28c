"""The ground floor: errors, named registries, specs and seeds. Imports nothing else of ours."""
