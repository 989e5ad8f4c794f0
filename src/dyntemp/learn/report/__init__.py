"""The report of learning: one HTML file with the answer first."""

from dyntemp.learn.report.page import document

__all__ = ["document"]
