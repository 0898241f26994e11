"""Floor 3: factors that add up to a score, and the findings they rest on."""
