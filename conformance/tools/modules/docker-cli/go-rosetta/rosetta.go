// Package rosetta says whether a program runs under Rosetta, which only macOS has: the clients built here run on Linux.
package rosetta

// Enabled is false: see the package's comment.
func Enabled() bool { return false }
