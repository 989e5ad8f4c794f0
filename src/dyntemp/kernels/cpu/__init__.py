"""The backend for rows on the CPU, compiled by Numba."""
