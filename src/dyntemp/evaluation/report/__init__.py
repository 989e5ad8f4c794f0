"""The report of a study: one HTML file, and the tables of a page of documentation."""

from dyntemp.evaluation.report.markdown import markdown
from dyntemp.evaluation.report.page import document

__all__ = ["document", "markdown"]
