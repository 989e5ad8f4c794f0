"""The backend for CUDA tensors, in Triton."""
