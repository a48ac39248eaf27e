"""The pages that benchmarks.admin measures."""

from typing import Any, NamedTuple


class Page(NamedTuple):
    """`stock_path` is the same page of the plain admin. `data` makes it a POST, which only asks for confirmation."""

    title: str
    path: str
    stock_path: str = ""
    data: dict[str, str] | None = None


def list_pages(jobs: int) -> list[Page]:
    """Every filter alone, pairs of filters, searches, forms, and the lists of other models."""
    from decisions.models import DecisionMessage, PacketDecision
    from inbox.models import InboxAudit, InboxJob, InboxWorker, PollWatermark, SourcePause
    from packets.models import IntegrationMessage, Packet, PacketDocument, PacketEvent

    tracking_id = InboxJob.objects.get(pk=jobs // 2).decision_tracking_id
    dead = InboxJob.objects.filter(status="DEAD").order_by("pk")
    packet = Packet.objects.order_by("pk")[100]
    pages = [_list(*page) for page in JOB_LISTS]
    pages += [
        _list("search: tracking id", f"q={tracking_id}"),
        _list("search: a number", f"q={jobs // 3}"),
        _list("search: a packet", f"q={packet.external_id}"),
        _list("search: what is not there", "q=SVC-2031-000001"),
        _list("search and filter", f"q={tracking_id}&status__exact=DEAD"),
    ]
    for title, job in (("a DONE job", 500), ("a claimed job", jobs - 5), ("2,000 failed attempts", dead[0].pk)):
        pages.append(Page(f"page of {title}", f"{JOBS}{job}/change/", f"{STOCK}{job}/change/"))
    pages.append(Page("form: requeue", f"{JOBS}{dead[1].pk}/requeue/"))
    for query in CONFIRMED:
        action = "mark-dead" if "NEW" in query else "release-lease" if "locked" in query else "requeue"
        data = {"action": action, "select_across": "1", "index": "0", "_selected_action": "1"}
        pages.append(Page(f"ask: {action}, {query or 'no filter'}", f"{JOBS}?{query}", "", data))
    pages.append(Page("front page", "/admin/"))
    lists = [Packet, PacketEvent, PacketDocument, IntegrationMessage, PacketDecision, DecisionMessage]
    for model in (*lists, InboxWorker, InboxAudit, SourcePause, PollWatermark):
        pages.append(Page(f"list of {model._meta.verbose_name_plural}", _url(model)))
    pages += [
        Page("packets, page 100", f"{_url(Packet)}?p=100"),
        Page("packets, a status", f"{_url(Packet)}?detailed_status__exact={packet.detailed_status}"),
        Page("packets, a status of none", f"{_url(Packet)}?detailed_status__exact=Decision+Complete"),
        Page("packets, search", f"{_url(Packet)}?q={packet.external_id}"),
        Page("packets, search by case", f"{_url(Packet)}?q=no-such-case"),
        Page("events, search by packet", f"{_url(PacketEvent)}?q={packet.external_id}"),
        Page("audit, search by object", f"{_url(InboxAudit)}?q=job:17"),
        Page("audit, search by name", f"{_url(InboxAudit)}?q=ada"),
        Page("workers, a state", f"{_url(InboxWorker)}?state=STOPPED"),
        Page("page of a packet", f"/admin/packets/packet/{packet.pk}/change/"),
    ]
    return pages


def _list(title: str, query: str, stock: str | None = None) -> Page:
    """A list of jobs. `stock` is the query for the plain admin if it differs, empty if that has no such list."""
    stock_query = query if stock is None else stock
    return Page(title, f"{JOBS}?{query}", f"{STOCK}?{stock_query}" if stock_query or not query else "")


def _url(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


JOBS, STOCK = "/admin/inbox/inboxjob/", "/stock/inbox/inboxjob/"
JOB_LISTS: list[tuple[str, ...]] = [
    ("the list", ""),
    ("page 100", "p=100"),
    ("the last page", "p=200"),
    ("an order that is not offered", "o=6", ""),
    ("status NEW", "status__exact=NEW"),
    ("status PROCESSING", "status__exact=PROCESSING"),
    ("status FAILED", "status__exact=FAILED"),
    ("status WAITING", "status__exact=WAITING"),
    ("status DEAD", "status__exact=DEAD"),
    ("status DEAD, page 100", "status__exact=DEAD&p=100", ""),
    ("status DONE", "status__exact=DONE"),
    ("source integration", "source=integration"),
    ("source clinical_decision", "source=clinical_decision"),
    ("source of no job", "source=json_generator"),
    ("message type utn_success", "message_type=utn_success"),
    ("message type of no job", "message_type=utn_fail"),
    ("error kind", "error_kind=Kind3"),
    ("owner", "locked_by=host:1"),
    ("open for more than 5 minutes", "open_for=300", ""),
    ("open for more than 1 hour", "open_for=3600", ""),
    ("open for more than 1 week", "open_for=604800", ""),
    ("NEW, source", "status__exact=NEW&source=clinical_decision"),
    ("NEW, message type of no job", "status__exact=NEW&message_type=utn_fail"),
    ("NEW, open for more than 1 week", "status__exact=NEW&open_for=604800", ""),
    ("FAILED, open for more than 1 hour", "status__exact=FAILED&open_for=3600", ""),
    ("DEAD, source", "status__exact=DEAD&source=clinical_decision"),
    ("DEAD, message type", "status__exact=DEAD&message_type=utn_success"),
    ("DEAD, message type of no job", "status__exact=DEAD&message_type=utn_fail"),
    ("DEAD, error kind", "status__exact=DEAD&error_kind=Kind3"),
    ("DONE, source of no job", "status__exact=DONE&source=json_generator"),
    ("DONE, message type of no job", "status__exact=DONE&message_type=utn_fail"),
    ("source, message type of no job", "source=integration&message_type=utn_fail"),
    ("source, open for more than 1 hour", "source=integration&open_for=3600", ""),
    ("error kind, source", "error_kind=Kind3&source=integration"),
]
CONFIRMED = [
    "",
    "status__exact=DEAD",
    "status__exact=NEW",
    "source=integration",
    "error_kind=Kind3",
    "locked_by=host:1",
    "status__exact=DEAD&message_type=utn_fail",
]
