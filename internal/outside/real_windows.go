package outside

import (
	"io/fs"
	"os"
	"os/exec"
)

// Group has nothing to add: the program itself is ended.
func Group(*exec.Cmd) (end func()) { return func() {} }

func owner(fs.FileInfo) (uid, gid int, id string) { return -1, -1, "" }

func chown(*os.File, int, int) error { return nil }

// syncFolder has nothing to do: Windows keeps a rename.
func syncFolder(string) error { return nil }
