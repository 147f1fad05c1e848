package node

import (
	"syscall"
	"unsafe"
)

// unread is the number of bytes that wait in the kernel's receive buffer of a TCP connection.
func unread(fd uintptr) int {
	var n int32
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int(n)
}
