package vendorhttp

import "net"

// Loopback reports whether a host name or address stays on this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
