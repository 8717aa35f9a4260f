"""``walkout-edge replay``: recorded shops in, receipts and the scoreboard out."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge.checkout.receipt import Receipt
from edge.checkout.receipt_page import embedded_pictures
from edge.cli.errors import fail, plain_errors
from edge.config_file import load_config
from edge.score.scoring import ScoredShop, document, print_scoreboard, report_page, scored
from edge.score.truth import read_truth
from edge.shop.premises import open_premises
from edge.shop.replay import EVIDENCE_NAME, replay

_WIDTH = 140


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("replay")(replay_shops)


@plain_errors
def replay_shops(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Recorded shops, each with store.yaml."),
    ],
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures as JSON.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with every wrong line and its pictures."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep ledger and evidence here, a folder a shop; a replay that was cut off goes "
            "on from it. [default: they are thrown away]",
        ),
    ] = None,
    evidence: Annotated[bool, typer.Option(help="Store the crops of events.")] = True,
) -> None:
    """Play recorded shops as fast as possible and compare their receipts with the truth."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        fail("two of the folders have the same name; rename one, their ledgers would mix")
    console = Console(width=_WIDTH if not Console().is_terminal else None)
    with ExitStack() as opened:
        kept = state or Path(
            opened.enter_context(tempfile.TemporaryDirectory(prefix="walkout-replay-"))
        )
        shops = [
            _played(folder, kept / name, evidence, console)
            for folder, name in zip(folders, names, strict=True)
        ]
        print_scoreboard(shops, console)
        if as_json is not None:
            text = json.dumps(document(shops), indent=2, ensure_ascii=False)
            as_json.write_text(text + "\n", encoding="utf-8")
        if report is not None:
            page = report_page(
                shops, lambda shop, crop: embedded_pictures(kept / shop / EVIDENCE_NAME)(crop)
            )
            report.write_text(page, encoding="utf-8")
            console.print(f"report: {report}", markup=False, highlight=False)


def _played(folder: Path, state: Path, evidence: bool, console: Console) -> ScoredShop:
    premises = open_premises(load_config(folder), folder)
    console.print(f"{folder}: {premises.config.store.name}", markup=False, highlight=False)
    replayed = replay(
        premises,
        state,
        keep_evidence=evidence,
        on_receipt=lambda receipt: print_receipt(receipt, console),
    )
    return scored(state.name, replayed, read_truth(folder))


def print_receipt(receipt: Receipt, console: Console) -> None:
    """A receipt in a few lines."""
    currency = receipt.terms.currency
    title = f"receipt {receipt.receipt_id} for {', '.join(receipt.shoppers)}"
    corrected = f", corrects {receipt.corrects}" if receipt.corrects else ""
    lines = [f"  {title}{corrected}: {receipt.total} {currency}"]
    lines += [f"    {line.quantity} x {line.name}  {line.total}" for line in receipt.lines]
    lines += [
        f"    being checked: {pending.quantity} x {' or '.join(pending.names) or 'unknown'}"
        for pending in receipt.pending
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False)
