"""Both programs, evaluated in ways their libraries do not offer: in float64 throughout, and with rounding put in."""
