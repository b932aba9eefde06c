"""The whole way on a real cluster: train by jobs, register, promote, ask, shift traffic; and what can break on it."""
