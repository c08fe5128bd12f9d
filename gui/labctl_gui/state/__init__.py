"""What the window knows, without Qt: plain Python, tested as such."""
