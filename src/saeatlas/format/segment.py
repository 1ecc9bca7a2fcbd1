"""Segments: a contiguous range of rows of one SAE, row-major and feature-major, with its strongest entries and sums."""

from __future__ import annotations

from saeatlas.format.segment_builder import SegmentBuilder
from saeatlas.format.segment_check import check_segment
from saeatlas.format.segment_info import N_TOP, SegmentInfo, add_fingerprints
from saeatlas.format.segment_merge import merge_segments
from saeatlas.format.segment_reader import SegmentReader

__all__ = [
    "N_TOP",
    "SegmentBuilder",
    "SegmentInfo",
    "SegmentReader",
    "add_fingerprints",
    "check_segment",
    "merge_segments",
]
