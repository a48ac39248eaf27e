from decisions.models.clinical_ops import ClinicalOpsMessage
from decisions.models.decision import PacketDecision
from decisions.models.message import DecisionMessage
from decisions.models.outbox import SendClinicalOps, SendIntegration

__all__ = ["ClinicalOpsMessage", "DecisionMessage", "PacketDecision", "SendClinicalOps", "SendIntegration"]
