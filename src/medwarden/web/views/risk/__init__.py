"""Pages of risk: scores, vulnerabilities, what to do, recalls, disclosure statements, knowledge."""
