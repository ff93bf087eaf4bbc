//go:build unix

package program

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the child its own process group: the interrupt key, which
// goes to the group of the terminal, does not stop it half-way, and
// the time limit ends its children too.
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
