"""Which models of sweethome3d-furniture a small shop sells, and which things people bring along.

Keys are SKUs' stems. Each value is category, name, path inside the package's archives, and how far
the model is turned about its upright axis so that it stands on a shelf with its front to the aisle.
"""

from __future__ import annotations

from typing import Final

_A: Final = "blendswap-cc-0"
_B: Final = "blendswap-cc-by"
_K: Final = "katorlegaz"
_S: Final = "scopia"

ASSORTMENT: Final[dict[str, tuple[str, str, str, float]]] = {
    # toys
    "biplane": ("toys", "Biplane", f"{_A}/cartoon_biplane/cartoon_biplane.obj", 0.0),
    "deer": ("toys", "Deer", f"{_A}/deer/deer.obj", 90.0),
    "doll": ("toys", "Doll", f"{_S}/doll/doll.obj", 0.0),
    "football": ("toys", "Football", f"{_B}/ballonFoot/ballonFoot.obj", 0.0),
    "basketball": ("toys", "Basketball", f"{_A}/basketball/basketball.obj", 0.0),
    "puzzle-cube": ("toys", "Puzzle cube", f"{_B}/rubix2/rubix2.obj", 0.0),
    "toy-train": ("toys", "Toy train", f"{_B}/toyTrain/toyTrain.obj", 0.0),
    "wood-toy": ("toys", "Wooden toy", f"{_A}/woodToy/woodToy.obj", 0.0),
    "gift": ("toys", "Gift box", f"{_B}/gift/gift.obj", 0.0),
    "joystick": ("toys", "Game controller", f"{_S}/ps4-joystick/ps4-joystick.obj", 0.0),
    "teddy": ("toys", "Teddy bear", f"{_A}/teddyBear/teddyBear.obj", 0.0),
    # baby and bath
    "baby-bottle": ("baby", "Baby bottle", f"{_A}/mamadeira/mamadeira.obj", 0.0),
    "cosmetics": ("baby", "Skin cream", f"{_A}/cosmeticsPot/cosmeticsPot.obj", 0.0),
    "flacon": ("baby", "Baby oil", f"{_A}/flacon/flacon.obj", 0.0),
    "bath-bottle": ("baby", "Bath foam", f"{_S}/com_bath/com_bath.obj", 0.0),
    "soap-bottle": (
        "baby",
        "Liquid soap",
        f"{_S}/com_bath2_jabon_pijo/com_bath2_jabon_pijo.obj",
        0.0,
    ),
    "soap": ("baby", "Soap dispenser", f"{_S}/com_bath2_soap/com_bath2_soap.obj", 0.0),
    "sponge": ("baby", "Sponge", f"{_S}/com_bath2_esponja/com_bath2_esponja.obj", 0.0),
    "towel": ("baby", "Towel", f"{_S}/com_bath3_toalla/com_bath3_toalla.obj", 0.0),
    "medicine": ("baby", "Cough syrup", f"{_S}/medicoscopia_bottle2/medicoscopia_bottle2.obj", 0.0),
    "medicine-box": ("baby", "Tablets", f"{_S}/medicoscopia_box/medicoscopia_box.obj", 0.0),
    "spray": ("baby", "Spray bottle", f"{_K}/spray-bottle/spray-bottle.obj", 0.0),
    "thermometer": ("baby", "Thermometer", f"{_B}/thermometer/thermometer.obj", 0.0),
    # clothes
    "bootie": ("clothes", "Boots", f"{_A}/bootie/bootie.obj", 90.0),
    "slippers": ("clothes", "Slippers", f"{_A}/slippers/slippers.obj", 90.0),
    "sneakers": ("clothes", "Sneakers", f"{_S}/sneakers/sneakers.obj", 90.0),
    "moccasin": ("clothes", "Moccasins", f"{_S}/mocassin/mocassin.obj", 90.0),
    "heels": ("clothes", "High heels", f"{_S}/woman_shoes/woman_shoes.obj", 90.0),
    "cap": ("clothes", "Cap", f"{_S}/casquette/casquette.obj", 90.0),
    "handbag": ("clothes", "Handbag", f"{_A}/handbag/handbag.obj", 0.0),
    "sunglasses": ("clothes", "Sunglasses", f"{_B}/sunglasses/sunglasses.obj", 0.0),
    # groceries
    "butter": ("groceries", "Butter", f"{_A}/butter/butter.obj", 0.0),
    "milk": ("groceries", "Milk", f"{_A}/tetrapak/tetrapak.obj", 0.0),
    "yogurt": ("groceries", "Yogurt drink", f"{_A}/yogurtBottle/yogurtBottle.obj", 0.0),
    "bread": ("groceries", "Bread", f"{_A}/bread/bread.obj", 0.0),
    "cupcake": ("groceries", "Cup cake", f"{_A}/cupcake/cupcake.obj", 0.0),
    "hot-dog": ("groceries", "Hot dog", f"{_A}/hotDog/hotDog.obj", 0.0),
    "hamburger": ("groceries", "Hamburger", f"{_B}/hamburger/hamburger.obj", 0.0),
    "coffee": ("groceries", "Coffee to go", f"{_B}/coffee_cup/coffee_cup.obj", 0.0),
    "salt": ("groceries", "Salt", f"{_B}/saltShaker/saltShaker.obj", 0.0),
    "red-wine": ("groceries", "Red wine", f"{_K}/red-wine-bottle-01/red-wine-bottle-01.obj", 0.0),
    "wine": ("groceries", "Wine", f"{_S}/wine_bottle/wine_bottle.obj", 0.0),
    "beer": ("groceries", "Beer", f"{_B}/beer_bottle/beer_bottle.obj", 0.0),
    "sugar": ("groceries", "Sugar", f"{_S}/sugar/sugar.obj", 0.0),
    "birthday-cake": ("groceries", "Birthday cake", f"{_S}/birthday_cake/birthday_cake.obj", 0.0),
    "chicken": ("groceries", "Roast chicken", f"{_S}/roasted-chicken/roasted-chicken.obj", 0.0),
}

UNKNOWN_OBJECTS: Final[dict[str, tuple[str, str]]] = {
    "camera": ("Camera", f"{_S}/basic_camera/basic_camera.obj"),
    "coffee-mug": ("Coffee mug", f"{_K}/coffee-mug/coffee-mug.obj"),
    "flashlight": ("Flashlight", f"{_K}/flashlight/flashlight.obj"),
    "headphones": ("Headphones", f"{_A}/headphones/headphones.obj"),
    "radio": ("Radio", f"{_B}/clock/clock.obj"),
    "tape": ("Adhesive tape", f"{_S}/rouleau-de-ruban-adhesif/rouleau-de-ruban-adhesif.obj"),
}
