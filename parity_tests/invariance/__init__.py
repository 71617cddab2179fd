"""Which ways of running a function change its bits: op by op, compiled, scanned, alone, with other threads."""
