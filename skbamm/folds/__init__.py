"""Rows and folds as tensors on a device."""

from skbamm.folds.affine import AffineRows, FeatureMaps
from skbamm.folds.chunks import (
    map_in_threads,
    over_ranges,
    threads_for_products,
    threads_for_rows,
)
from skbamm.folds.dense import DenseRows
from skbamm.folds.draw import draw_rows
from skbamm.folds.foldwise import FoldwiseRows
from skbamm.folds.moments import Moments, fold_moments, pooled_moments
from skbamm.folds.protocol import Chunk, Kept, Rows
from skbamm.folds.sparse import SparseRows
from skbamm.folds.stacked import StackedRows
from skbamm.folds.weights import FoldWeights

__all__ = [
    "AffineRows",
    "Chunk",
    "DenseRows",
    "FeatureMaps",
    "FoldWeights",
    "FoldwiseRows",
    "Kept",
    "Moments",
    "Rows",
    "SparseRows",
    "StackedRows",
    "draw_rows",
    "fold_moments",
    "map_in_threads",
    "over_ranges",
    "pooled_moments",
    "threads_for_products",
    "threads_for_rows",
]
