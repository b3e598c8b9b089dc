"""One training loop, the data it draws from, and one objective for each network."""
