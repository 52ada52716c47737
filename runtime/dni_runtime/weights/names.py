"""What the values of the head are called, and those of the product; no network uses such names."""

SHARES, ENDPOINTS, BLENDS, OTHERS, FACTORS = "dni@shares", "dni@endpoints", "dni@blends", "dni@others", "dni@factors"
