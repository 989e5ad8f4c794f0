"""A small binding to llama.cpp: it opens the library of an installed package, and checks it before use."""
