package outside

import (
	"os/exec"
	"runtime"
	"syscall"
)

// follow has a program end with this process, whatever ends it: another process goes on with
// the run then, and looks at what is so. The system ends it with the thread that has started
// it, so that thread waits until it is done.
func follow(c *exec.Cmd) (done func()) {
	runtime.LockOSThread()
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return runtime.UnlockOSThread
}
