"""The chaos test: producers, workers and a monkey, on servers of its own; what must hold is asked of SQL.

    python -m tests.chaos --seconds 40 --seed 7 [--mutant NAME] [--pooler]
    python -m tests.chaos.campaign --seconds 300 --slices 3

run.py      one run, from start to end
stage.py    its servers, networks and pooler
processes.py the project's processes, kept alive
faults/     one class for each kind of fault
monkey.py   chooses the next fault, and ends those that have lasted long enough
domain/     the traffic of the whole domain: Integration, ClinicalOps, people, the JSON Generator
producers.py writes messages as badly as other programs do
app.py      the source that the workers serve; handlers.py, what they do with a message
mutants.py  the protections that can be taken away
invariants.py what must hold at any moment, and at the end
account.py  asks the invariants, and counts harm
audited.py  asks the project's own audit at the end
recovery.py how soon work went on after each fault
campaign.py runs slices and keeps their results; report.py sums them up
"""
