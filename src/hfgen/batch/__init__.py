"""Many requests as one job: answered at the pace that the servers allow, each recorded once, none asked twice."""
