"""What the inbox holds right now, which workers have it, and why anything is still open. Nothing here changes a row.

Everything stays quick on millions of jobs: open jobs are counted by their indexes, ended ones (which have none) among
the newest only. Ages are in seconds, by the database's clock; None where the time is infinite or unknown.
"""
