// A node of the Snow distribution protocol, version 5, driven over standard input and output.
package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"snow/control"
)

func main() {
	// Peers' bytes are garbage soon (RES-8): collect it early.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(256 << 20)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})))
	control.Serve(os.Stdin, os.Stdout)
}
