"""The report of a tuning: one HTML file with the answer first."""

from dyntemp.tune.report.page import document

__all__ = ["document"]
