"""Refused decisions; each text tells a person what prevents the decision."""


class DecisionRefused(Exception):
    """Nothing was written."""


class NoSuchPacket(DecisionRefused):
    """There is no packet with that id."""


class DecidedMeanwhile(DecisionRefused):
    """There is a new version since the person looked."""


class NotAllowedNow(DecisionRefused):
    """The packet or its decision is in a state that does not allow this."""


class DetailsMissing(DecisionRefused):
    """The reason is blank, or its details lack what that reason requires."""
