"""The page of `dyntemp play`: one HTML text that needs nothing else, served or opened as a file."""

from dyntemp.page.document import Example, OpenLearning, OpenTrace, document

__all__ = ["Example", "OpenLearning", "OpenTrace", "document"]
