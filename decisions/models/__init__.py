from decisions.models.clinical_ops import ClinicalOpsMessage
from decisions.models.decision import PacketDecision
from decisions.models.outbox import SendClinicalOps, SendIntegration

__all__ = ["ClinicalOpsMessage", "PacketDecision", "SendClinicalOps", "SendIntegration"]
