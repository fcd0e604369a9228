"""The least squares behind archmodel/cost/sram.py: from CACTI's points to its coefficients."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NODES = (90, 65, 45, 32, 22)
ROUNDS = 30


@dataclass(frozen=True)
class Points:
    """CACTI's answers of one column, as arrays."""

    size: np.ndarray
    bits: np.ndarray
    node: np.ndarray
    device: np.ndarray
    value: np.ndarray

    def of(self, device: str) -> Points:
        chosen = self.device == device
        return Points(self.size[chosen], self.bits[chosen], self.node[chosen], self.device[chosen], self.value[chosen])


def points(column: str) -> Points:
    with Path(__file__).with_name("cacti.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = (np.array([float(row[name]) for row in rows]) for name in ("size_bytes", "bits", "node_nm"))
    return Points(*numbers, np.array([row["device"] for row in rows]), np.array([float(row[column]) for row in rows]))


def terms(found: Points, used: tuple[int, ...]) -> np.ndarray:
    """Columns of 1, W, sqrt(S), W sqrt(S) and 8 S, as many as are used."""
    root = np.sqrt(found.size)
    columns = (np.ones_like(root), found.bits, root, found.bits * root, 8 * found.size)
    return np.stack([columns[index] for index in used], axis=1)


def fit(found: Points, used: tuple[int, ...]) -> tuple[np.ndarray, dict[int, float]]:
    """(coefficients, factor of each node): least squares of the relative error, in turns until neither moves."""
    factor = {node: 1.0 for node in NODES}
    for _ in range(ROUNDS):
        at_node = np.array([factor[int(node)] for node in found.node])
        scaled = terms(found, used) * at_node[:, None]
        weights, *_ = np.linalg.lstsq(scaled / found.value[:, None], np.ones_like(found.value), rcond=None)
        ratio = found.value / (scaled @ weights)
        factor = {node: factor[node] * float(np.exp(np.mean(np.log(ratio[found.node == node])))) for node in NODES}
        factor = {node: value / factor[45] for node, value in factor.items()}
    return weights, factor
