from calibration.planogram import Facing, Planogram
from edge.interaction.stock import LiveStock


def _facing(sku: str, u_m: float, stock: int) -> Facing:
    return Facing(
        fixture="f", u_m=u_m, v_m=0.0, width_m=0.5, height_m=0.3, depth_m=0.4,
        sku=sku, capacity=6, stock=stock,
    )  # fmt: skip


def _stock() -> LiveStock:
    return LiveStock.of(
        Planogram(facings={"A1": _facing("tea", 0.0, 4), "A2": _facing("milk", 0.5, 1)})
    )


def test_a_take_leaves_fewer_pieces_and_they_are_out() -> None:
    stock = _stock().taken("A1", 2)
    assert stock.pieces["A1"] == 2
    assert stock.out == {"tea": 2}


def test_the_stock_before_a_take_stays_as_it_was() -> None:
    before = _stock()
    before.taken("A1", 2)
    assert before.pieces["A1"] == 4 and before.out == {}


def test_more_pieces_than_were_believed_to_be_there_leave_none() -> None:
    assert _stock().taken("A2", 3).pieces["A2"] == 0


def test_a_piece_put_back_where_it_belongs_is_no_longer_out() -> None:
    stock = _stock().taken("A1", 1).put_back("A1", 0.2, "tea", 1, "e-1")
    assert stock.pieces["A1"] == 4
    assert stock.out == {}
    assert stock.strays == ()


def test_a_piece_put_elsewhere_stands_there_as_a_stray() -> None:
    stock = _stock().taken("A1", 1).put_back("A2", 0.7, "tea", 1, "e-1")
    assert stock.pieces == {"A1": 3, "A2": 1}
    assert [(each.facing, each.sku) for each in stock.strays] == [("A2", "tea")]
    assert stock.out == {}


def test_strays_are_found_by_place_the_last_first() -> None:
    stock = _stock()
    for number, u_m in enumerate((0.70, 0.72, 0.90)):
        stock = stock.put_back("A2", u_m, "tea", 1, f"e-{number}")
    assert [each.name for each in stock.strays_at("A2", 0.71)] == ["e-1", "e-0"]
    assert stock.strays_at("A1", 0.71) == ()


def test_a_stray_that_is_taken_is_out_again_and_stands_there_no_more() -> None:
    stock = _stock().taken("A1", 1).put_back("A2", 0.7, "tea", 1, "e-1")
    stock = stock.stray_taken(stock.strays[0])
    assert stock.strays == ()
    assert stock.out == {"tea": 1}
    assert stock.pieces == {"A1": 3, "A2": 1}


def test_an_unknown_object_is_a_stray_without_a_sku() -> None:
    stock = _stock().put_back("A1", 0.1, None, 1, "e-1")
    assert stock.strays[0].sku is None
    assert stock.stray_taken(stock.strays[0]).out == {}


def test_restocking_fills_a_facing_without_anything_having_been_out() -> None:
    stock = _stock().put_back("A2", 0.7, "milk", 3, "e-1")
    assert stock.pieces["A2"] == 4
    assert stock.out == {}


def test_gaps_are_the_facings_that_are_empty() -> None:
    stock = _stock().taken("A2", 1)
    assert [(gap.facing, gap.sku) for gap in stock.gaps()] == [("A2", "milk")]
    assert [gap.facing for gap in stock.gaps(below_share=0.7)] == ["A1", "A2"]
