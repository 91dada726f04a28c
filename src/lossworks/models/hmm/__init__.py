"""Hidden Markov models: a state that is never seen, and a token that it emits."""
