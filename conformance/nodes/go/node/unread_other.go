//go:build !linux

package node

// unread is not known here: a barrier then waits only for what has been read.
func unread(uintptr) int { return 0 }
