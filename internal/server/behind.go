package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// cameFrom is the address that a request came from. Where it came by proxies that are
// known (Options.Behind), it is the last address in X-Forwarded-For that is none of theirs:
// each of them adds who asked it at the end, and the entries before that anybody may have
// written.
func (s *Server) cameFrom(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !s.isProxy(peer.Addr()) {
		return r.RemoteAddr
	}
	from := peer
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		at, err := netip.ParseAddrPort(hop)
		if err != nil {
			alone, err := netip.ParseAddr(strings.Trim(hop, "[]"))
			if err != nil {
				break // whoever wrote that was no proxy of ours
			}
			at = netip.AddrPortFrom(alone, 0)
		}
		if from = at; !s.isProxy(at.Addr()) {
			break
		}
	}
	return netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()).String()
}

func (s *Server) isProxy(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s.o.Behind, func(p netip.Prefix) bool { return p.Contains(a) })
}
