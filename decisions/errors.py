"""Why a decision can't be made; each text is for a person, and says what stands in the way."""


class DecisionRefused(Exception):
    """Nothing was written."""


class NoSuchPacket(DecisionRefused):
    """There is no packet with that id."""


class DecidedMeanwhile(DecisionRefused):
    """Somebody or something else has decided since the person looked."""


class NotAllowedNow(DecisionRefused):
    """The packet or its decision is not at a point where this can be done."""


class DetailsMissing(DecisionRefused):
    """The reason is blank, or its details lack what that reason requires."""
