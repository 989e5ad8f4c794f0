"""The report of a study: one HTML file with the verdict first, and tables in Markdown for the documentation."""

from dyntemp.evaluation.report.markdown import filled, markdown, tables
from dyntemp.evaluation.report.page import document

__all__ = ["document", "filled", "markdown", "tables"]
