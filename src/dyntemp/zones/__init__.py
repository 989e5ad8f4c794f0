"""Zones: spans of the text, such as thinking or code, that policies read as `inside("think")`; knows no model."""
