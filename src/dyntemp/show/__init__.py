"""Tokens and policies for people: colours, sentences, cards, plots. One module computes numbers, others draw them."""
