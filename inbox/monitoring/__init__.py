"""The state of the inbox right now: its jobs, which workers have them, and why any are open. Changes no row.

Everything stays quick on millions of jobs: open jobs are counted by their indexes, ended ones (which have none) among
the newest only. Ages are in seconds, by the database's clock; None where the time is infinite or unknown.
"""
