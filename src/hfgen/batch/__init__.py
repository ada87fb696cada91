"""Many requests as one job: answered at the pace that the servers allow, recorded once each, taken up where it stopped."""
