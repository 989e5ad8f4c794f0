"""The report of a study: one HTML file with the verdict first, and tables in Markdown for the documentation."""

from dyntemp.evaluation.report.html import document
from dyntemp.evaluation.report.markdown import filled, markdown, tables

__all__ = ["document", "filled", "markdown", "tables"]
