"""Protections of the domain that can be taken away, as tests/chaos/mutants.py does."""

from math import inf

from verification.patches import patched
from verification.protections.clinical_ops import HANDLES_ITS_REVISION
from verification.protections.decisions import LOCKS_THE_PACKET
from verification.protections.packets import LOCKS_WHAT_IT_COMPARES
from verification.row import Protection

ORDER_OF_SENDING = Protection(
    "order-of-sending",
    "of two messages of a kind the one that was sent later counts, not the one that was handled later",
    lambda: patched("decisions.rules.current_state:order_of", lambda plain: lambda message: message.pk or inf),
)
MUTANTS = (
    ORDER_OF_SENDING,
    LOCKS_THE_PACKET,
    LOCKS_WHAT_IT_COMPARES,
    HANDLES_ITS_REVISION,
)
