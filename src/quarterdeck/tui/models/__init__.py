"""The view of all models: rows, columns and cells are pure, the table draws them."""
