"""The graph of a round: what each moment was, and what each session did around it."""

from tests.support.verification.made_up_report import MOMENTS
from verification.proof.stage import Moment
from verification.report.lanes import MOST_MOMENTS, graph_of


def kinds(moments):
    return [line.kind for line in graph_of(moments).lines]


def test_each_moment_has_its_kind():
    assert kinds(MOMENTS) == ["starts", "starts", "held", "waits", "goes", "ended", "error"]


def test_a_lane_shows_what_its_session_did_before_and_after():
    graph = graph_of(MOMENTS)
    assert graph.sessions == ["A", "B"]
    a, b = ([(line.cells[lane].before, line.cells[lane].after) for line in graph.lines] for lane in (0, 1))
    assert a == [
        ("nothing", "runs"),
        ("runs", "runs"),
        ("runs", "held"),
        ("held", "held"),
        ("held", "runs"),
        ("runs", "nothing"),
        ("nothing", "nothing"),
    ]
    assert b[3:] == [("runs", "waits"), ("waits", "waits"), ("waits", "waits"), ("waits", "nothing")]


def test_only_the_session_of_the_moment_is_marked():
    for line, moment in zip(graph_of(MOMENTS).lines, MOMENTS, strict=True):
        assert [bool(cell.mark) for cell in line.cells] == [moment.session == "A", moment.session == "B"]


def test_a_step_whose_name_looks_like_an_error_is_a_start():
    assert kinds([Moment(0, "A", "Reclaimer: looks"), Moment(1, "A", "ValueError: no")]) == ["starts", "error"]


def test_a_session_that_was_killed_ends_with_an_error_and_may_start_again():
    moments = ["claim", "is killed", "OperationalError: gone", "claim"]
    assert kinds([Moment(0, "A", what) for what in moments]) == ["starts", "killed", "error", "starts"]


def test_a_long_round_is_cut_and_says_so():
    graph = graph_of([Moment(0, "A", "claim")] * (MOST_MOMENTS + 3))
    assert (len(graph.lines), graph.left_out) == (MOST_MOMENTS, 3)


def test_a_wait_is_told_once():
    waits = Moment(1, "A", "waits for a lock: UPDATE …")
    moments = [Moment(0, "A", "claim"), waits, Moment(2, "B", "claim"), waits, Moment(3, "A", "ended")]
    assert kinds(moments) == ["starts", "waits", "starts", "ended"]
