"""The chaos test: producers, workers and a monkey, on a server of its own; what must hold is asked of SQL.

    python -m tests.chaos --seconds 40 --seed 7 [--mutant NAME] [--pooler]

run.py    one run, from start to end
app.py    the source that the workers serve; handlers.py, what they do with a message
mutants.py the protections that can be taken away
producers.py writes messages as badly as other programs do
monkey.py kills, freezes, disconnects, restarts
strangers.py take all connections of the server for a while
invariants.py what must hold at any moment, and at the end
domain/   the traffic of the whole domain: Integration, ClinicalOps, people, the JSON Generator
audited.py asks the project's own audit at the end
"""
