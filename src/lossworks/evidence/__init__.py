"""Evidence: arms tuned alike, trained with the same seeds, and compared with both sources of chance in mind.

arms          what is compared
tuning        what is tuned, and the points that are tried
training      one training of one arm that tells labels apart, and the data for it
language      the same of a model of language
runs          all of them, by one process or many, killed and gone on with
store         where the finished ones are kept
statistics    the paired difference, its interval, its tests
verdicts      what was shown, in words
duplicates    held-out texts that stand among the training texts
plan          what will be done, and how long it takes
results       what was found, for the record
"""
