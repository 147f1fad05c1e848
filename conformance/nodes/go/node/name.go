package node

import (
	"net"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	defaultPort   = "9000"
	maxNameLength = 4_060 // bytes: it has to fit CHALLENGE

	// nobody is the name of a node before it has been started.
	nobody = "nonode@nohost"
)

// Address is where the node of a valid name listens, for net.Dial. Port 0 is valid only at start (HS-25).
// ok is false when the name is not valid.
func Address(name string) (host, port string, ok bool) {
	_, rest, found := strings.Cut(name, "@")
	if !found || name[0] == '@' || len(name) > maxNameLength || !utf8.ValidString(name) {
		return "", "", false
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= 0x1F || 0x7F <= r && r <= 0x9F }) {
		return "", "", false
	}
	if strings.HasPrefix(rest, "[") {
		host, rest, found = strings.Cut(rest[1:], "]")
		if !found {
			return "", "", false
		}
		if rest != "" && rest[0] != ':' {
			return "", "", false
		}
	} else {
		at := strings.IndexByte(rest, ':')
		if at < 0 {
			at = len(rest)
		}
		host, rest = rest[:at], rest[at:]
		if strings.ContainsAny(host, "[]") {
			return "", "", false
		}
	}
	port = defaultPort
	if rest != "" {
		port = rest[1:]
	}
	if host == "" || !isPort(port) {
		return "", "", false
	}
	return host, port, true
}

func isPort(port string) bool {
	if port == "" || strings.Trim(port, "0123456789") != "" {
		return false
	}
	number := strings.TrimLeft(port, "0")
	n, err := strconv.Atoi("0" + number)
	return err == nil && n <= 65_535
}

// hasPortZero says whether a valid name asks for any free port.
func hasPortZero(name string) bool {
	_, port, ok := Address(name)
	return ok && strings.Trim(port, "0") == ""
}

// ValidPeer says whether a name is one that may stand on the wire, and be connected to.
func ValidPeer(name string) bool {
	_, _, ok := Address(name)
	return ok && !hasPortZero(name)
}

// withPort puts a real port into the place of a port 0.
func withPort(name string, addr net.Addr) string {
	port := addr.(*net.TCPAddr).Port
	return name[:strings.LastIndexByte(name, ':')+1] + strconv.Itoa(port)
}
