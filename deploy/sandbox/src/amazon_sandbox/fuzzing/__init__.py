"""Fuzzes a running local Amazon with requests made from Amazon's models, half of them broken on purpose.

`python -m amazon_sandbox.fuzzing MODELS_FOLDER --seconds 600 --seed 1`: whatever is asked, it answers, and never with a
500 that was not asked for. The same seed asks the same as long as the answers are the same.
"""
