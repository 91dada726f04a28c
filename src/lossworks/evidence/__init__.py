"""Evidence: arms tuned alike, trained with the same seeds, and compared with both sources of chance in mind.

arms          what is compared
tuning        what is tuned, and the points that are tried
benchmark     the data, and one training of one arm; labels, texts: of classifiers and regressions, of language models
runs          all trainings, by one process or many, killed and gone on with
store         where the finished ones are kept
statistics    the paired difference, its interval, its tests
verdicts      what was shown, in words
diagnostics   in which rows and texts arms differ
plan          what will be done, and how long it takes
results       what was found, for the record
"""
