"""The ways in which the pretend JSON Generator can treat a request."""

from enum import StrEnum


class Behaviour(StrEnum):
    ACCEPT = "accept"  # take it, write the row, answer 200
    LATE = "late"  # the same, the answer after a while
    TWICE = "twice"  # the same, with two rows
    DROP = "drop"  # take it, write the row, close the connection without an answer
    SILENT_DROP = "silent_drop"  # close the connection, and nothing else
    FAIL = "fail"  # answer 503
    REJECT = "reject"  # answer 422
    HANG = "hang"  # answer nothing
    DRIP = "drip"  # a byte of the body every now and then
    DRIP_HEAD = "drip_head"  # the same, of the headers
    FLOOD = "flood"  # 400, and a body without end
    REDIRECT = "redirect"  # 307 to another host
