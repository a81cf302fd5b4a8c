package stack

// CloseQuietly is Close with another way to end the process.
func CloseQuietly(f func()) { closeQuietly(f) }
