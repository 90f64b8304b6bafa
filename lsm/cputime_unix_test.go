//go:build unix

package lsm

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used, garbage collection included: on a
// busy machine the only honest clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
