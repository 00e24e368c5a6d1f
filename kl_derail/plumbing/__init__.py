"""What all parts share: files written whole, tables, the look of figures, statistics, progress."""
