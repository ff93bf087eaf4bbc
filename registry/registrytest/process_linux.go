package registrytest

import "syscall"

// dieWithParent makes the kernel end the registry if the test process is
// killed before its cleanup ran.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
