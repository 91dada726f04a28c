"""What is wrong with a data set, before or after a model is trained on it."""
