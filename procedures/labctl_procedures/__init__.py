"""What is measured, and networks on the array."""
