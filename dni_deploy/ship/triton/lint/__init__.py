"""What a server would load and answer wrongly, or run: found before it starts."""
