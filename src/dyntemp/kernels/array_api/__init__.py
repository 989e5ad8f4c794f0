"""The backend for MLX and other libraries that follow the array API standard."""
