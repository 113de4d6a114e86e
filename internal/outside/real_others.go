//go:build !linux

package outside

import "os/exec"

// follow has nothing to do: this system lets no program end with the one that started it.
func follow(*exec.Cmd) (done func()) { return func() {} }
