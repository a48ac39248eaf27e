from inbox.models.audit import InboxAudit
from inbox.models.correction import InboxCorrection
from inbox.models.job import InboxJob
from inbox.models.pause import SourcePause
from inbox.models.tally import InboxTally
from inbox.models.watermark import PollWatermark
from inbox.models.worker import InboxWorker

__all__ = ["InboxAudit", "InboxCorrection", "InboxJob", "InboxTally", "InboxWorker", "PollWatermark", "SourcePause"]
