"""What is next, after any crash? The durable store of jobs, files, holds, debts and history."""
