"""The algorithms, one a file, found by walking this folder."""
