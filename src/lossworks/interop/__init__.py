"""Lossworks in other people's houses: scikit-learn, Keras."""
