// Command plimsoll is a terminal release console for container images.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"plimsoll/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := cli.Execute(ctx, os.Args[1:], cli.Standard())
	stop()
	os.Exit(code)
}
