//go:build unix

package main

import "syscall"

// noCore keeps a crash from writing the memory, and with it the secrets that
// this process holds, to the disk. A failure to lower one's own limit is not
// worth stopping for.
func noCore() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
