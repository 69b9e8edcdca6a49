"""The page on which core's reading order stands names every module of core, in the order that the contract holds."""

import re
import tomllib
from pathlib import Path

import core

ROOT = Path(__file__).parents[2]


def test_the_reading_order_names_every_module_in_the_order_of_the_contract() -> None:
    named = re.findall(r"^    `(\w+)`", core.__doc__ or "", re.MULTILINE)
    entries = (ROOT / "core").iterdir()
    assert sorted(named) == sorted(entry.stem for entry in entries if not entry.stem.startswith("__"))
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["name"] == "core's modules have an order")
    height = {module: -level for level, layer in enumerate(layers) for module in layer.split(" | ")}
    heights = [height[f"core.{name}"] for name in named]
    assert heights == sorted(heights)
