"""Views in files: as text, as a picture, as the data behind them."""
