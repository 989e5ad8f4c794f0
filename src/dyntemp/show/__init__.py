"""Tokens and policies as people see them: colours, sentences, small plots. Numbers first, drawing second."""
