"""The bench file: its schema, its loading, and the opening of what it declares."""
