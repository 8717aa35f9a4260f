from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from edge.__main__ import app
from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.outbox import Outbox
from edge.tracing import events_named, trace_id, traceparent, traces_of
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    STORE,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)

MILK, TEA = "run-shelf-1-0000012-0", "run-shelf-1-0000040-0"


def shop_a_little(folder: Path) -> None:
    """Anna takes milk, which is charged, and tea, which a person is asked about."""
    with open_ledger(folder) as ledger:
        desk = open_desk(ledger, ["mqtt"])
        check_in(desk, "anna")
        for name, outcome in (
            ("run-shelf-1-0000012-0", "accept"),
            ("run-shelf-1-0000040-0", "review"),
        ):
            desk.record(
                event(name, outcome=outcome),  # type: ignore[arg-type]
                Attribution(("anna",), "within 0.3 m"),
                wall_time_s=OPENED_AT_S + 10,
            )
        desk.leave("anna", at=moment(20))
        verdict = Verdict("maria", "tea", "anna", 1)
        desk.settle_review(TEA, verdict, at=moment(60))
        outbox = Outbox(ledger.file)
        outbox.acknowledge("receipt.anna-r1", OPENED_AT_S + 21)


def test_a_trace_is_that_of_the_standard_and_the_same_whenever_it_is_worked_out() -> None:
    one = trace_id("demo", "run-shelf-1-0000012-0")
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert one == trace_id("demo", "run-shelf-1-0000012-0")
    others = {trace_id("demo", "run-shelf-1-0000012-1"), trace_id("other", "run-shelf-1-0000012-0")}
    assert len(others | {one}) == 3
    parents = [traceparent("demo", "run-shelf-1-0000012-0", at) for at in ("event", "receipt")]
    assert all(re.fullmatch(f"00-{one}-[0-9a-f]{{16}}-01", each) for each in parents)
    assert parents[0] != parents[1]


def test_a_receipts_message_names_the_trace_of_every_line_and_of_what_waits(
    tmp_path: Path,
) -> None:
    shop_a_little(tmp_path)
    with open_ledger(tmp_path) as ledger:
        first, second = open_desk(ledger).shop.receipts["anna"]
        ((body,), (corrected,)) = ledger.file.rows(
            "SELECT body FROM outbox WHERE address LIKE 'receipts/%' ORDER BY place"
        )
    told = json.loads(str(body))["traces"]
    assert told == traces_of(first)
    assert set(told) == {MILK, TEA}
    assert json.loads(str(corrected))["traces"] == traces_of(second)


def test_anything_of_a_line_leads_to_its_events(tmp_path: Path) -> None:
    shop_a_little(tmp_path)
    with open_ledger(tmp_path) as ledger:
        entries = tuple(ledger.entries())
    for asked in (MILK, trace_id(STORE, MILK), traceparent(STORE, MILK, "receipt")):
        assert events_named(asked, STORE, entries) == (MILK,)
    for asked in ("anna", "anna-r1", "anna-r2"):
        assert set(events_named(asked, STORE, entries)) == {MILK, TEA}
    assert events_named("bob", STORE, entries) == ()


def test_the_way_of_a_line_is_shown_from_the_frame_to_the_receiver(
    tmp_path: Path, recorded_shop: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shop_a_little(state)
    store = recorded_shop / "store.yaml"
    copied = tmp_path / "store.yaml"
    text = store.read_text(encoding="utf-8").replace("id: shop-3", f"id: {STORE}")
    copied.write_text(text, encoding="utf-8")
    asked = trace_id(STORE, TEA)
    ran = CliRunner().invoke(app, ["trace", str(copied), asked, "--state", str(state), "--json"])
    assert ran.exit_code == 0, ran.output
    (found,) = json.loads(ran.output)
    assert (found["trace"], found["event"]) == (asked, TEA)
    stages = [step["stage"] for step in found["steps"]]
    assert stages == [
        "frame", "evidence", "event", "review", "receipt", "settled", "charged", "receipt",
        "message", "message",
    ]  # fmt: skip
    messages = [step["words"] for step in found["steps"] if step["stage"] == "message"]
    assert messages == ["to mqtt: acknowledged", "to mqtt: waiting"]
    ran = CliRunner().invoke(app, ["trace", str(copied), "anna-r1", "--state", str(state)])
    assert "maria" in ran.output and "1 x tea of anna" in ran.output
    ran = CliRunner().invoke(app, ["trace", str(copied), "bob", "--state", str(state)])
    assert (ran.exit_code, "knows nothing of bob" in ran.stderr) == (2, True)
