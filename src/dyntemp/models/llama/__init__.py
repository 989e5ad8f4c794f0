"""A small binding to llama.cpp, which opens the library of an installed package and checks it first."""
