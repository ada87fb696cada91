"""What was answered: the output of a job, which is its journal, and what lies beside it."""
