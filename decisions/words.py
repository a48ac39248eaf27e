"""Words that keys of messages about decisions consist of, besides those of packets/words.py."""

WORDS = """
action affirm answer anew claim clinical ddms denial description details documentation error explanation failed
generated indicator is json letter missing modifier mr of operational ops part place procedures program programs
reason required result review reviews codes round sent severity subtype success to unit utn
"""
