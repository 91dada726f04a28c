"""Text to numbers: code points and their classes, words of any script, vocabularies, hashed n-grams."""
