//go:build !linux

package registrytest

import "syscall"

// dieWithParent is known to Linux only; elsewhere the test's cleanup ends the registry.
func dieWithParent() *syscall.SysProcAttr { return nil }
