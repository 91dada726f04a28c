"""Lossworks in other people's houses: scikit-learn, Keras, Hugging Face's Llama, ONNX."""
