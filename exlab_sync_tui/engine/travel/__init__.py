"""How does one run travel? Frozen, carried, compared, published."""
