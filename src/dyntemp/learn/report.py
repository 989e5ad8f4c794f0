"""The report of learning as one HTML file."""

from dyntemp.learn.results import LearnResults


def document(results: LearnResults) -> str:
    """The report."""
    return results.sentence
