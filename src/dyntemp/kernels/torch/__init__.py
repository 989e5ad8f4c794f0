"""The backend for tensors on any device, in plain PyTorch."""
